#include "train/run_state.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <regex>

#include "core/error.h"
#include "core/log.h"
#include "io/json_object.h"
#include "io/safetensors.h"
#include "io/whole_folder.h"
#include "lora/lora_file.h"

namespace leco {
namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;
using Entries = StateRecord::Entries;

constexpr int kFormat = 1;
constexpr const char *kLora = "lora.safetensors", *kOptimizer = "optimizer.safetensors",
                     *kRecord = "state.json";

ordered_json object_of(const Entries& entries) {
  ordered_json object = ordered_json::object();
  for (const auto& [key, value] : entries) object[key] = value;
  return object;
}

Entries entries_of(const ordered_json& object) {
  Entries entries;
  for (const auto& [key, value] : object.items()) entries.emplace_back(key, value.get<std::string>());
  return entries;
}

// As text, which holds every double, also those that JSON has no word for.
ordered_json object_of(const std::map<std::string, double>& numbers) {
  ordered_json object = ordered_json::object();
  for (const auto& [name, value] : numbers) object[name] = fmt::format("{}", value);
  return object;
}

std::map<std::string, double> numbers_of(const ordered_json& object) {
  std::map<std::string, double> numbers;
  for (const auto& [name, text] : object.items())
    numbers[name] = std::strtod(text.get_ref<const std::string&>().c_str(), nullptr);
  return numbers;
}

std::string record_text(const StateRecord& record) {
  return ordered_json{{"format", kFormat},
                      {"version", record.version},
                      {"step", record.step},
                      {"seed", record.seed},
                      {"pairs_per_step", record.pairs_per_step},
                      {"threads", record.threads},
                      {"max_train_steps", record.max_train_steps},
                      {"lr_decay_steps", record.lr_decay_steps},
                      {"device", record.device},
                      {"instructions", record.instructions},
                      {"settings", object_of(record.settings)},
                      {"pairs", record.pairs},
                      {"model_files", object_of(record.model_files)},
                      {"numbers", object_of(record.numbers)},
                      {"loss_scale",
                       {{"scale", record.loss_scale.scale},
                        {"clean_steps", record.loss_scale.clean_steps},
                        {"skipped_steps", record.loss_scale.skipped_steps}}}}
             .dump(2) +
         "\n";
}

StateRecord record_from(const std::string& text, const std::string& folder) {
  // nlohmann-json itself would make 2 of 2.5.
  const auto whole = [&folder](const ordered_json& object, const char* key, int64_t least) {
    const ordered_json& value = object.at(key);
    if (!value.is_number_integer() || value.get<int64_t>() < least)
      throw_usage(fmt::format("'{}/{}' is no record of a state: '{}' is {}; expected a whole number from {}",
                              folder, kRecord, key, shown(value), least));
    return value.get<int64_t>();
  };
  try {
    const ordered_json json = ordered_json::parse(text);
    if (json.at("format") != kFormat)
      throw_usage(
          fmt::format("'{}' is a state of another version of leco ({})", folder, json.value("version", "?")));
    return {.step = whole(json, "step", 0),
            .seed = json.at("seed"),
            .pairs_per_step = whole(json, "pairs_per_step", 1),
            .threads = whole(json, "threads", 1),
            .max_train_steps = whole(json, "max_train_steps", 1),
            .lr_decay_steps = json.at("lr_decay_steps"),
            .settings = entries_of(json.at("settings")),
            .pairs = json.at("pairs"),
            .model_files = entries_of(json.at("model_files")),
            .device = json.at("device"),
            .instructions = json.value("instructions", ""),
            .version = json.at("version"),
            .numbers = numbers_of(json.at("numbers")),
            .loss_scale = {.scale = json.at("loss_scale").at("scale"),
                           .clean_steps = whole(json.at("loss_scale"), "clean_steps", 0),
                           .skipped_steps = whole(json.at("loss_scale"), "skipped_steps", 0)}};
  } catch (const nlohmann::json::exception& error) {
    throw_usage(fmt::format("'{}/{}' is no record of a state: {}", folder, kRecord, error.what()));
  }
}

std::string inside(const std::string& folder, const char* name) {
  return (fs::path(folder) / name).string();
}

// A regular expression that matches the name itself.
std::string literally(const std::string& name) {
  std::string pattern;
  for (const char letter : name) {
    if (std::string_view("\\^$.|?*+()[]{}").find(letter) != std::string_view::npos) pattern += '\\';
    pattern += letter;
  }
  return pattern;
}

// Entries of the output folder whose whole name matches; the folder may be missing.
std::vector<fs::path> entries_like(const TrainSettings& settings, const std::string& pattern) {
  const std::regex wanted(pattern);
  std::vector<fs::path> found;
  std::error_code failure;
  for (const auto& entry : fs::directory_iterator(settings.output_dir, failure))
    if (std::regex_match(entry.path().filename().string(), wanted)) found.push_back(entry.path());
  std::ranges::sort(found);
  return found;
}

std::vector<fs::path> states_of(const TrainSettings& settings, const std::string& ending = "") {
  return entries_like(settings,
                      literally(settings.output_name) + "(-step[0-9]{8,})?-state" + literally(ending));
}

using PassOver = std::function<void(const std::string& folder, const std::string& why)>;

// Step and folder of the states whose record can be read, the highest step first.
std::vector<std::pair<int64_t, std::string>> states_by_step(const TrainSettings& settings,
                                                            const PassOver& pass_over) {
  LocalFileSource files;
  std::vector<std::pair<int64_t, std::string>> by_step;
  for (const fs::path& folder : states_of(settings)) {
    try {
      by_step.emplace_back(read_state_record(files, folder.string()).step, folder.string());
    } catch (const Error& error) {
      pass_over(folder.string(), error.what());
    }
  }
  std::ranges::sort(by_step, std::greater{});
  return by_step;
}

}  // namespace

std::string state_path(const TrainSettings& settings, int64_t finished_steps) {
  const bool last = finished_steps >= settings.max_train_steps;
  const std::string name =
      last ? settings.output_name : fmt::format("{}-step{:08}", settings.output_name, finished_steps);
  return (fs::path(settings.output_dir) / (name + "-state")).string();
}

void save_state(const std::string& folder, const StateRecord& record, const Trainer& trainer) {
  const OptimizerState optimizer = trainer.optimizer().state();
  NamedTensors tensors;
  for (const auto& [name, tensor] : optimizer.tensors) tensors.emplace_back(name, tensor.cpu());
  StateRecord whole = record;
  whole.numbers = optimizer.numbers;
  whole.loss_scale = trainer.loss_scale().state();

  WholeFolder state(folder);
  state.write(kLora, safetensors_bytes(lora_tensors(trainer.network(), torch::kFloat32), {}));
  state.write(kOptimizer, safetensors_bytes(tensors, {}));
  state.write(kRecord, record_text(whole));
  state.commit();
}

StateRecord read_state_record(FileSource& files, const std::string& folder) {
  return record_from(files.read(inside(folder, kRecord)), folder);
}

void load_state(FileSource& files, const std::string& folder, const StateRecord& record, Trainer& trainer) {
  load_lora(trainer.network(), files.open_safetensors(inside(folder, kLora)));
  StateDict stored = files.open_safetensors(inside(folder, kOptimizer));
  OptimizerState optimizer{.tensors = {}, .numbers = record.numbers};
  for (const std::string& name : stored.left()) {
    const auto shape = stored.find(name)->shape;
    optimizer.tensors[name] = stored.take(name, shape).to(trainer.network().weights().device());
  }
  trainer.optimizer().load(optimizer);
  trainer.loss_scale().restore(record.loss_scale);
}

std::optional<std::string> newest_state(const TrainSettings& settings, std::vector<std::string>& notices) {
  const auto pass_over = [&](const std::string& folder, const std::string& why) {
    notices.push_back(fmt::format("'{}' is damaged and passed over: {}", folder, why));
  };
  for (const auto& [step, folder] : states_by_step(settings, pass_over)) {
    const std::string damage = damage_of(folder);
    if (damage.empty()) return folder;
    pass_over(folder, damage);
  }
  return std::nullopt;
}

void remove_old_states(const TrainSettings& settings, int64_t step, int64_t most) {
  const std::regex numbered(literally(settings.output_name) + "-step([0-9]{8,18})-state");
  for (const fs::path& folder : states_of(settings)) {
    std::smatch match;
    const std::string name = folder.filename().string();
    if (!std::regex_match(name, match, numbered) || std::stoll(match[1]) >= step - most) continue;
    std::error_code ignored;
    fs::remove_all(folder, ignored);
  }
}

std::optional<std::string> highest_state(const TrainSettings& settings) {
  const auto by_step = states_by_step(settings, [](const std::string&, const std::string&) {});
  return by_step.empty() ? std::nullopt : std::optional(by_step.front().second);
}

void set_aside_states(const TrainSettings& settings) {
  const std::string ending = ".earlier";
  const std::vector<fs::path> states = states_of(settings);
  if (states.empty()) return;
  for (const fs::path& folder : states_of(settings, ending)) {
    std::error_code ignored;
    fs::remove_all(folder, ignored);
  }
  for (const fs::path& folder : states) {
    std::error_code failure;
    fs::rename(folder, folder.string() + ending, failure);
    if (failure)
      log::warning(
          fmt::format("'{}' of an earlier run cannot be set aside, and --resume=auto may take it: {}",
                      folder.string(), failure.message()));
  }
}

void remove_leftovers(const TrainSettings& settings) {
  const std::string pattern =
      "\\." + literally(settings.output_name) + "(-step[0-9]{8,})?(-state|\\.[a-z.]+)\\.tmp-[0-9]+.*";
  for (const fs::path& left : entries_like(settings, pattern)) {
    std::error_code ignored;
    fs::remove_all(left, ignored);
  }
}

}  // namespace leco
