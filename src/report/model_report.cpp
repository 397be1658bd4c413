#include "report/model_report.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <nlohmann/json.hpp>

#include "io/safetensors_types.h"
#include "report/settings_table.h"

namespace leco {
namespace {

using nlohmann::ordered_json;
using Rows = std::vector<std::pair<std::string, std::string>>;

std::string in_millions(int64_t numbers) {
  return numbers < 1'000'000 ? std::to_string(numbers) : fmt::format("{:.1f} million", numbers / 1e6);
}

std::string types_text(const ComponentSummary& part) {
  std::vector<std::string> types;
  for (const auto& [type, tensors] : part.tensors_of_type)
    types.push_back(fmt::format("{} ({} tensors)", safetensors_type_name(type), tensors));
  return fmt::format("{}", fmt::join(types, ", "));
}

std::string first_of(const std::vector<std::string>& names) {
  constexpr size_t kShown = 6;
  std::string text;
  for (size_t i = 0; i < std::min(kShown, names.size()); ++i) text += (i > 0 ? ", " : "") + names[i];
  return names.size() > kShown ? text + fmt::format(", … ({} in all)", names.size()) : text;
}

std::string component_text(const ComponentSummary& part) {
  Rows rows = {{"file", part.file},
               {"sizes", part.sizes},
               {"parameters", in_millions(part.parameters)},
               {"stored as", types_text(part)}};
  if (!part.unused.empty()) rows.emplace_back("not used", first_of(part.unused));
  rows.emplace_back("complete", part.problems.empty()
                                    ? "yes"
                                    : fmt::format("NO, {} {} wrong or missing", part.problems.size(),
                                                  part.problems.size() == 1 ? "tensor is" : "tensors are"));
  std::string text = "\n\n" + part.what + aligned_table(rows);
  for (const std::string& problem : part.problems) text += "\n    " + problem;
  return text;
}

std::string parts_text(const std::vector<FilePart>& parts) {
  Rows rows;
  for (const FilePart& part : parts)
    rows.emplace_back(part.what,
                      fmt::format("{} tensors, {} numbers{}", part.names.size(), in_millions(part.numbers),
                                  part.kind == PartKind::kUnknown ? ": " + first_of(part.names) : ""));
  return rows.empty() ? "" : "\n\nEvery tensor of the file" + aligned_table(rows);
}

ordered_json component_json(const ComponentSummary& part) {
  ordered_json types = ordered_json::object();
  for (const auto& [type, tensors] : part.tensors_of_type)
    types[std::string(safetensors_type_name(type))] = tensors;
  return {{"part", part.what},    {"file", part.file},
          {"sizes", part.sizes},  {"parameters", part.parameters},
          {"types", types},       {"problems", part.problems},
          {"unused", part.unused}};
}

ordered_json part_json(const FilePart& part) {
  ordered_json json = {{"part", part.what}, {"tensors", part.names.size()}, {"numbers", part.numbers}};
  if (part.kind == PartKind::kUnknown) json["names"] = part.names;
  return json;
}

}  // namespace

std::string model_text(const ModelSummary& model) {
  std::string text =
      model.path + aligned_table({{"form", model.form},
                                  {"family", std::string(family_name(model.family))},
                                  {"prediction", fmt::format("{} ({})", prediction_name(model.prediction),
                                                             model.prediction_source)},
                                  {"can be trained", model.can_be_trained() ? "yes" : "NO, see below"}});
  for (const ComponentSummary& part : model.components) text += component_text(part);
  text += parts_text(model.parts);
  if (!model.notices.empty()) text += "\n\nNotices";
  for (const std::string& notice : model.notices) text += "\n  " + notice;
  return text + "\n";
}

std::string model_json(const ModelSummary& model) {
  ordered_json components = ordered_json::array(), parts = ordered_json::array();
  for (const ComponentSummary& part : model.components) components.push_back(component_json(part));
  for (const FilePart& part : model.parts) parts.push_back(part_json(part));
  const ordered_json object = {{"file", model.path},
                               {"kind", "model"},
                               {"form", model.form},
                               {"family", family_name(model.family)},
                               {"prediction", prediction_name(model.prediction)},
                               {"prediction_source", model.prediction_source},
                               {"can_be_trained", model.can_be_trained()},
                               {"components", components},
                               {"parts", model.parts.empty() ? ordered_json() : parts},
                               {"notices", model.notices}};
  return object.dump(2, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace leco
