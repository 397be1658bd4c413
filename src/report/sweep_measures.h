// What the runs of a sweep are compared by: one number a measure, most of them from their evaluation's
// report.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "report/sweep_row.h"

namespace leco {

enum class Better { kHigher, kLower, kNeither };

struct SweepMeasure {
  const char* name;  // in results.csv and results.json
  const char* title;
  Better better;
  const char* best;     // what the best run is called; empty where none is better
  const char* meaning;  // a sentence
};

// The final loss, then those of an evaluation.
std::span<const SweepMeasure> sweep_measures();

// Out of report.json, with what its scales hold at the one nearest to 1. Measures without a value are left
// out. Usage error that names `origin` for a file that is no such report.
std::vector<std::pair<std::string, double>> measures_of(std::string_view report_json,
                                                        const std::string& origin);

// The run's, by name, where it has a finite one.
std::optional<double> measure_of(const SweepRow& row, std::string_view name);

// A sweep evaluates a run into this folder below the run's own.
inline constexpr const char* kEvaluationFolder = "evaluation";

// Adds what lies in the run's folder to the row: of a whole evaluation the measures, its files and its
// thumbnail; without one the last preview of the training. A report that cannot be read is told of in a
// warning and left out.
void add_evaluation(SweepRow& row, const std::string& output_dir);

}  // namespace leco
