#include <nlohmann/json.hpp>

#include "report/evaluation_report.h"

namespace leco {
namespace {

using nlohmann::ordered_json;

ordered_json to_json(const std::optional<double>& value) {
  return value ? ordered_json(*value) : ordered_json();
}

ordered_json to_json(const std::optional<ScaleRange>& range) {
  return range ? ordered_json{range->from, range->to} : ordered_json();
}

ordered_json to_json(const ScaleMeasures& measures) {
  ordered_json drift = ordered_json::object();
  for (const auto& [prompt, value] : measures.drift) drift[prompt] = value;
  ordered_json object = {{"scale", measures.scale},
                         {"response", measures.response},
                         {"cosine", to_json(measures.cosine)},
                         {"off_axis", to_json(measures.off_axis)},
                         {"drift", drift},
                         {"pixel_distance", measures.pixel_distance},
                         {"ssim", measures.ssim}};
  if (measures.clip)
    object["clip"] = {{"positive", measures.clip->positive}, {"negative", measures.clip->negative}};
  return object;
}

}  // namespace

std::string evaluation_json(const EvaluationReport& report) {
  ordered_json scales = ordered_json::array();
  for (const ScaleMeasures& measures : report.scales) scales.push_back(to_json(measures));
  const ordered_json object = {{"scales", scales},
                               {"spearman", to_json(report.curve.spearman)},
                               {"symmetry", to_json(report.curve.symmetry)},
                               {"linear_range", to_json(report.curve.linear_range)},
                               {"recommended_range", to_json(report.curve.recommended_range)}};
  return object.dump(2) + "\n";
}

}  // namespace leco
