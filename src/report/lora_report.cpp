#include "report/lora_report.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "io/safetensors_types.h"
#include "report/pair_blocks.h"
#include "report/settings_table.h"

namespace leco {
namespace {

using nlohmann::ordered_json;

constexpr const char* kHash = "sshs_model_hash";
constexpr const char* kSettings = "leco_settings";
constexpr const char* kPairs = "leco_pairs";

template <class Value, class Get>
std::set<Value> distinct(const std::vector<ModuleSummary>& modules, Get get) {
  std::set<Value> values;
  for (const ModuleSummary& module : modules) values.insert(std::invoke(get, module));
  return values;
}

std::string dtype_of(const ModuleSummary& module) {
  return std::string(safetensors_type_name(module.dtype));
}

// All of a few values, the range of many.
template <class Value>
std::string values_text(const std::set<Value>& values) {
  constexpr size_t kMost = 6;
  if (values.size() <= kMost) return fmt::format("{}", fmt::join(values, ", "));
  return fmt::format("{} … {} ({} different)", *values.begin(), *values.rbegin(), values.size());
}

double whole_norm(const LoraSummary& lora) {
  double square = 0;
  for (const ModuleSummary& module : lora.modules) square += module.change_norm * module.change_norm;
  return std::sqrt(square);
}

std::vector<std::string> names_where(const LoraSummary& lora, bool (*holds)(const ModuleSummary&)) {
  std::vector<std::string> names;
  for (const ModuleSummary& module : lora.modules)
    if (holds(module)) names.push_back(module.name);
  return names;
}

bool is_zero(const ModuleSummary& module) {
  return module.change_norm == 0;
}

bool is_broken(const ModuleSummary& module) {
  return !std::isfinite(module.change_norm);
}

// What is stored under the key, null where it is absent or no JSON of that kind.
ordered_json stored_json(const Metadata& metadata, const std::string& key, bool is_list) {
  const auto found = metadata.find(key);
  if (found == metadata.end()) return nullptr;
  ordered_json value = ordered_json::parse(found->second, nullptr, /*allow_exceptions=*/false);
  return (is_list ? value.is_array() : value.is_object()) ? value : ordered_json();
}

std::string hash_verdict(const LoraReport& report) {
  const auto stored = report.metadata.find(kHash);
  if (stored == report.metadata.end()) return "the file carries none";
  return stored->second == report.data_hash
             ? "sshs_model_hash fits the weights"
             : "sshs_model_hash does NOT fit the weights: they were changed after it was computed";
}

std::string first_of(const std::vector<std::string>& names, size_t total) {
  if (names.empty()) return "none";
  return fmt::format("{} of {}: {}{}", names.size(), total, names[0], names.size() > 1 ? ", …" : "");
}

std::string alphas_of(const LoraSummary& lora) {
  const auto alphas = distinct<double>(lora.modules, &ModuleSummary::alpha);
  const auto scales = distinct<double>(lora.modules, &ModuleSummary::scale);
  const bool given = std::ranges::any_of(lora.modules, &ModuleSummary::has_alpha);
  return fmt::format("{}; scale alpha/rank {}{}", values_text(alphas), values_text(scales),
                     given ? "" : " (the file holds no alpha; taken as the rank)");
}

// "192", or "278, 50 of them on 3×3 convolutions".
std::string modules_of(const LoraSummary& lora) {
  std::map<std::string, int64_t> kernels;
  for (const ModuleSummary& module : lora.modules) {
    const auto& shape = module.down_shape;
    if (shape.size() == 4 && shape[2] * shape[3] > 1) ++kernels[fmt::format("{}×{}", shape[2], shape[3])];
  }
  std::string text = std::to_string(lora.modules.size());
  for (const auto& [kernel, count] : kernels)
    text += fmt::format(", {} of them on {} convolutions", count, kernel);
  return text;
}

std::string summary_table(const LoraReport& report) {
  const LoraSummary& lora = report.lora;
  int64_t weights = 0;
  for (const ModuleSummary& module : lora.modules) weights += module.weights;
  std::vector<std::pair<std::string, std::string>> rows = {
      {"layout", lora.layout},
      {"modules", modules_of(lora)},
      {"rank", values_text(distinct<int64_t>(lora.modules, &ModuleSummary::rank))},
      {"alpha", alphas_of(lora)},
      {"weights",
       fmt::format("{} of type {}", weights, fmt::join(distinct<std::string>(lora.modules, dtype_of), ", "))},
      {"size", fmt::format("{} bytes", report.bytes)},
      {"change", fmt::format("{:.5g}, Frobenius norm over all modules at strength 1", whole_norm(lora))},
      {"zero modules", first_of(names_where(lora, is_zero), lora.modules.size())},
      {"checksum", hash_verdict(report)}};
  if (const auto broken = names_where(lora, is_broken); !broken.empty())
    rows.emplace_back("NOT FINITE", first_of(broken, lora.modules.size()));
  if (!lora.other_names.empty())
    rows.emplace_back("other tensors", first_of(lora.other_names, lora.other_names.size()));
  return aligned_table(rows);
}

// Values that are shown in parts of their own are left out, long ones are cut at a line's length.
std::string metadata_table(const Metadata& metadata, const std::set<std::string>& shown) {
  constexpr size_t kMostBytes = 80;
  std::vector<std::pair<std::string, std::string>> rows;
  for (const auto& [key, value] : metadata) {
    if (shown.contains(key)) continue;
    size_t end = std::min(value.size(), kMostBytes);
    while (end < value.size() && (value[end] & 0xC0) == 0x80) --end;  // not inside a character
    std::string line = value.substr(0, end);
    std::ranges::replace_if(
        line, [](unsigned char c) { return c < 0x20 || c == 0x7F; }, ' ');
    if (end < value.size()) line += fmt::format("… ({} bytes, --json has all)", value.size());
    rows.emplace_back(key, line);
  }
  return rows.empty() ? "" : "\n\nMetadata" + aligned_table(rows);
}

std::string module_table(const std::vector<ModuleSummary>& modules) {
  size_t width = 0;
  for (const ModuleSummary& module : modules) width = std::max(width, module.name.size());
  std::string text = fmt::format("\n\nModules\n  {:<{}} {:>5} {:>8} {:>8} {:>10} {:>10} {:>10}", "", width,
                                 "rank", "alpha", "scale", "‖down‖", "‖up‖", "‖change‖");
  for (const ModuleSummary& module : modules)
    text += fmt::format("\n  {:<{}} {:>5} {:>8.4g} {:>8.4g} {:>10.4g} {:>10.4g} {:>10.4g}", module.name,
                        width, module.rank, module.alpha, module.scale(), module.down_norm, module.up_norm,
                        module.change_norm);
  return text;
}

std::vector<std::pair<std::string, std::string>> rows_of(const ordered_json& object) {
  std::vector<std::pair<std::string, std::string>> rows;
  for (const auto& [key, value] : object.items())
    rows.emplace_back(key, value.is_string() ? value.get<std::string>() : value.dump());
  return rows;
}

ordered_json module_json(const ModuleSummary& module) {
  return {{"name", module.name},
          {"rank", module.rank},
          {"alpha", module.alpha},
          {"has_alpha", module.has_alpha},
          {"scale", module.scale()},
          {"dtype", dtype_of(module)},
          {"down_shape", module.down_shape},
          {"up_shape", module.up_shape},
          {"down_norm", module.down_norm},
          {"up_norm", module.up_norm},
          {"change_norm", module.change_norm},
          {"zero", is_zero(module)}};
}

}  // namespace

std::string lora_text(const LoraReport& report) {
  const ordered_json settings = stored_json(report.metadata, kSettings, /*is_list=*/false);
  const ordered_json pairs = stored_json(report.metadata, kPairs, /*is_list=*/true);
  std::set<std::string> shown;
  std::string text = report.path + summary_table(report);
  if (!settings.is_null()) {
    shown.insert(kSettings);
    text += "\n\nSettings it was trained with" + aligned_table(rows_of(settings));
  }
  if (!pairs.is_null()) {
    shown.insert({kPairs, "ss_leco_preview"});  // the preview is the head of the same list
    text += "\n\nPairs it was trained on" + pair_blocks(pairs);
  }
  return text + metadata_table(report.metadata, shown) + module_table(report.lora.modules) + "\n";
}

std::string lora_json(const LoraReport& report) {
  const LoraSummary& lora = report.lora;
  ordered_json modules = ordered_json::array();
  int64_t weights = 0;
  for (const ModuleSummary& module : lora.modules) {
    modules.push_back(module_json(module));
    weights += module.weights;
  }
  const auto stored = report.metadata.find(kHash);
  const bool has_hash = stored != report.metadata.end();
  const ordered_json hash = {
      {"stored", has_hash ? ordered_json(stored->second) : ordered_json()},
      {"computed", report.data_hash},
      {"matches", has_hash ? ordered_json(stored->second == report.data_hash) : ordered_json()}};
  const ordered_json object = {{"file", report.path},
                               {"bytes", report.bytes},
                               {"layout", lora.layout},
                               {"dtypes", distinct<std::string>(lora.modules, dtype_of)},
                               {"ranks", distinct<int64_t>(lora.modules, &ModuleSummary::rank)},
                               {"alphas", distinct<double>(lora.modules, &ModuleSummary::alpha)},
                               {"weights", weights},
                               {"norm", whole_norm(lora)},
                               {"modules", modules},
                               {"zero_modules", names_where(lora, is_zero)},
                               {"other_tensors", lora.other_names},
                               {"hash", hash},
                               {"metadata", report.metadata},
                               {"settings", stored_json(report.metadata, kSettings, false)},
                               {"pairs", stored_json(report.metadata, kPairs, true)}};
  return object.dump(2, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace leco
