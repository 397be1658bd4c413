// What the measures mean, in words.
#pragma once

#include <string>
#include <vector>

#include "report/evaluation_report.h"

namespace leco {

enum class Grade { kGood, kFair, kPoor, kNone };

struct Finding {
  std::string name;   // "Strength"
  std::string value;  // "0.66"
  Grade grade = Grade::kNone;
  std::string word;         // "strong": what the colour says
  std::string explanation;  // one sentence
};

struct Verdict {
  std::vector<std::string> sentences;  // what the LoRA does, how to use it, what to look out for
  std::vector<Finding> findings;       // strength, recommended range, symmetry, precision
};

Verdict judge(const EvaluationReport& report);

std::string range_text(const ScaleRange& range);  // "−1 … 1"

}  // namespace leco
