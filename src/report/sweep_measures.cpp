#include "report/sweep_measures.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/log.h"
#include "core/read_file.h"
#include "io/json_object.h"
#include "report/thumbnail.h"

namespace leco {
namespace {

using nlohmann::json;
using Values = std::vector<std::pair<std::string, double>>;
namespace fs = std::filesystem;

constexpr const char* kFinalLoss = "final_loss";

constexpr std::array kMeasures = {
    SweepMeasure{kFinalLoss, "final loss", Better::kLower, "Lowest final loss",
                 "Loss of the last step. It compares runs of one prompt file and guidance only."},
    SweepMeasure{"response", "response", Better::kHigher, "Strongest",
                 "Movement along the wanted direction at scale 1; 1 is as far as its two prompts differ."},
    SweepMeasure{"cosine", "cosine", Better::kHigher, "Straightest",
                 "How much of the whole change at scale 1 lies along the direction."},
    SweepMeasure{"off_axis", "off-axis", Better::kLower, "Least across",
                 "The share of the change at scale 1 that lies across the direction."},
    SweepMeasure{"drift", "drift", Better::kLower, "Least drift",
                 "The greatest change at scale 1 of a prompt that should stay, against its size."},
    SweepMeasure{"spearman", "Spearman", Better::kHigher, "Most monotone",
                 "1 when a greater scale always gives a greater response."},
    SweepMeasure{"symmetry", "symmetry", Better::kHigher, "Most even",
                 "The weaker of the two greatest scales’ responses over the stronger."},
    SweepMeasure{"linear_width", "linear width", Better::kHigher, "Widest linear range",
                 "Width of the range of scales with a response in proportion."},
    SweepMeasure{"recommended_width", "recommended width", Better::kHigher, "Widest recommended range",
                 "Width of the part of it without drift above 0.1."},
    SweepMeasure{"pixel_distance", "pixel distance", Better::kNeither, "",
                 "Mean difference of the pictures at scales 1 and 0, of 255 steps."},
    SweepMeasure{"ssim", "SSIM", Better::kNeither, "",
                 "Likeness of the pictures at scales 1 and 0; 1 is the same picture."},
    SweepMeasure{"clip_positive", "ΔCLIP positive", Better::kHigher, "Most like the positive prompt",
                 "How much better the pictures at scale 1 fit the positive prompt than at 0."},
    SweepMeasure{"clip_negative", "ΔCLIP negative", Better::kLower, "Least like the negative prompt",
                 "The same for the negative prompt."}};

const json* member(const json& object, const char* name) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(name);
  return found == object.end() ? nullptr : &*found;
}

std::optional<double> number(const json& object, const char* name) {
  const json* value = member(object, name);
  if (!value || !value->is_number() || !std::isfinite(value->get<double>())) return std::nullopt;
  return value->get<double>();
}

std::optional<double> width(const json& report, const char* name) {
  const json* range = member(report, name);
  if (!range || !range->is_array() || range->size() != 2 || !(*range)[0].is_number() ||
      !(*range)[1].is_number())
    return std::nullopt;
  return (*range)[1].get<double>() - (*range)[0].get<double>();
}

std::optional<double> greatest_drift(const json& scale) {
  const json* drift = member(scale, "drift");
  std::optional<double> greatest;
  if (!drift || !drift->is_object()) return greatest;
  for (const auto& value : *drift)
    if (value.is_number()) greatest = std::max(greatest.value_or(0), value.get<double>());
  return greatest;
}

// The one that is compared: nearest to 1, of two as near the positive one.
const json* usual_scale(const json& report) {
  const json *scales = member(report, "scales"), *chosen = nullptr;
  if (!scales || !scales->is_array()) return nullptr;
  const auto off = [](const json& scale) { return std::abs(*number(scale, "scale") - 1); };
  for (const json& scale : *scales)
    if (number(scale, "scale").value_or(0) != 0 && (!chosen || off(scale) < off(*chosen))) chosen = &scale;
  return chosen;
}

std::string last_preview(const fs::path& folder) {
  std::string last;
  std::error_code failure;
  for (const auto& entry : fs::directory_iterator(folder / "sample", failure))
    if (const std::string name = entry.path().filename().string(); name.ends_with("-00.png"))
      last = std::max(last, name);
  return last.empty() ? last : "sample/" + last;
}

void read_report(SweepRow& row, const fs::path& folder) {
  const std::string origin = (folder / "report.json").string();
  try {
    row.measures = measures_of(read_local_file(origin), origin);
  } catch (const Error& error) {
    log::warning(fmt::format("the measures of '{}' are left out: {}", row.name, error.what()));
  }
}

}  // namespace

std::span<const SweepMeasure> sweep_measures() {
  return kMeasures;
}

Values measures_of(std::string_view report_json, const std::string& origin) {
  const json report = parse_json_object(report_json, origin);
  const json* scale = usual_scale(report);
  if (!scale) throw_usage(fmt::format("'{}' is no report of leco evaluate: it lists no scale", origin));
  Values values;
  const auto add = [&values](const char* name, const std::optional<double>& value) {
    if (value) values.emplace_back(name, *value);
  };
  for (const char* name : {"response", "cosine", "off_axis"}) add(name, number(*scale, name));
  add("drift", greatest_drift(*scale));
  for (const char* name : {"spearman", "symmetry"}) add(name, number(report, name));
  add("linear_width", width(report, "linear_range"));
  add("recommended_width", width(report, "recommended_range"));
  for (const char* name : {"pixel_distance", "ssim"}) add(name, number(*scale, name));
  if (const json* clip = member(*scale, "clip")) {
    add("clip_positive", number(*clip, "positive"));
    add("clip_negative", number(*clip, "negative"));
  }
  return values;
}

std::optional<double> measure_of(const SweepRow& row, std::string_view name) {
  std::optional<double> value;
  if (name == kFinalLoss) value = row.final_loss;
  for (const auto& [measure, number] : row.measures)
    if (measure == name) value = number;
  return value && std::isfinite(*value) ? value : std::nullopt;
}

void add_evaluation(SweepRow& row, const std::string& output_dir) {
  const fs::path folder = fs::path(output_dir) / row.folder;
  const fs::path evaluation = folder / kEvaluationFolder;
  const auto inside = [&row](const std::string& file) { return row.folder + "/" + file; };
  const std::string below = std::string(kEvaluationFolder) + "/";
  if (fs::exists(evaluation / "report.html") && fs::exists(evaluation / "report.json")) {
    read_report(row, evaluation);
    for (const char* name : {"report.html", "report.json"}) row.files.push_back(inside(below + name));
    if (fs::exists(evaluation / kThumbnailName)) row.picture = inside(below + kThumbnailName);
  } else if (const std::string preview = last_preview(folder); !preview.empty()) {
    row.picture = inside(preview);
  }
}

}  // namespace leco
