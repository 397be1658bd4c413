#include "launcher/reproduce.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <iterator>
#include <nlohmann/json.hpp>
#include <sstream>

#include "config/prompt_file.h"
#include "config/prompt_writer.h"
#include "core/error.h"
#include "core/version.h"
#include "io/atomic_file.h"
#include "io/digest.h"
#include "launcher/flags/config_file.h"
#include "launcher/flags/flag_table.h"
#include "launcher/model/open_model.h"
#include "launcher/resolve.h"
#include "train/lora_output.h"
#include "train/pairs_json.h"

namespace leco {
namespace {

using nlohmann::ordered_json;

constexpr const char* kRunName = "run.toml";
constexpr const char* kPromptsName = "prompts.toml";
constexpr const char* kModel = "pretrained_model_name_or_path";
constexpr const char* kNetworkWeights = "network_weights";  // a flag, and its file's key in leco_base_model

std::string stored(const LoraReport& lora, const std::string& key) {
  const auto found = lora.metadata.find(key);
  if (found == lora.metadata.end())
    throw_usage(
        fmt::format("'{}' has no {} in its metadata: only what leco train wrote (without --no_metadata) can "
                    "be made again",
                    lora.path, key));
  return found->second;
}

NamedValues stored_object(const LoraReport& lora, const std::string& key) {
  const ordered_json object = ordered_json::parse(stored(lora, key), nullptr, /*allow_exceptions=*/false);
  if (!object.is_object()) throw_usage(fmt::format("'{}': its {} is no JSON object", lora.path, key));
  NamedValues values;
  for (const auto& [name, value] : object.items()) {
    if (!value.is_string()) throw_usage(fmt::format("'{}': in its {} '{}' is no text", lora.path, key, name));
    values.emplace_back(name, value.get<std::string>());
  }
  return values;
}

// The flags of a run, taken from the metadata and from what the user adds.
class RunFlags {
 public:
  explicit RunFlags(const LoraReport& lora) : lora_(lora), table_(train_flags(settings_)) {
    const NamedValues values = stored_object(lora, "leco_settings");
    for (const auto& [name, value] : values) add_stored(name, value);
    apply_flags(table_, given_);
    check_read_back(values);
  }

  const TrainSettings& settings() const { return settings_; }

  void add(const std::string& name, std::vector<std::string> words) {
    const Flag* flag = find_flag(table_, name);
    LECO_ASSERT(flag != nullptr);
    given_.push_back({.name = name, .kind = flag->form.kind, .words = std::move(words), .place = place()});
  }

  std::string text() const { return config_file_text(table_, given_); }

 private:
  std::string place() const { return fmt::format("'{}', leco_settings", lora_.path); }

  void add_stored(const std::string& name, const std::string& value) {
    const Flag* flag = find_flag(table_, name);
    if (flag == nullptr)
      throw_usage(fmt::format("{}: this version ({}) has no setting '{}'; the file was made by {}", place(),
                              kVersion, one_line(name), one_line(stored(lora_, "leco_version"))));
    const bool is_number = flag->form.kind == ValueKind::kInteger || flag->form.kind == ValueKind::kNumber;
    const bool has_digit = value.find_first_of("0123456789") != std::string::npos;
    if (value.empty() || (is_number && !has_digit)) return;  // "none", "learning_rate": nothing was given
    if (flag->form.kind != ValueKind::kWords) return add(name, {value});
    std::istringstream words(value);
    add(name, {std::istream_iterator<std::string>(words), {}});
  }

  void check_read_back(const NamedValues& values) const {
    const NamedValues now = result_settings(settings_);
    for (const auto& [name, value] : values) {
      const auto same = [&](const auto& entry) { return entry.first == name; };
      const auto found = std::ranges::find_if(now, same);
      if (found == now.end() || found->second != value)
        throw_usage(
            fmt::format("{}: this version ({}) reads '{} = {}' as '{}', so it cannot make the file again",
                        place(), kVersion, one_line(name), one_line(value),
                        found == now.end() ? "no setting of a result" : found->second));
    }
  }

  const LoraReport& lora_;
  TrainSettings settings_;
  std::vector<Flag> table_;  // bound to settings_
  std::vector<Given> given_;
};

std::string absolute(const std::string& path) {
  return std::filesystem::absolute(path).lexically_normal().string();
}

// A hub id stays one.
std::string absolute_where_it_exists(const std::string& name) {
  std::error_code failure;
  return std::filesystem::exists(name, failure) ? absolute(name) : name;
}

std::string digest_of(const NamedValues& digests, const std::string& name) {
  const auto found = std::ranges::find(digests, name, &NamedValues::value_type::first);
  return found == digests.end() ? "" : found->second;
}

void check_digest(const LoraReport& lora, const NamedValues& digests, const WeightFile& file) {
  const std::string expected = digest_of(digests, file.name);
  if (expected.empty())
    throw_usage(fmt::format("'{}' was trained without a '{}', which '{}' would be; it took: {}", lora.path,
                            file.name, file.path, ordered_json(digests).dump()));
  if (const std::string found = sha256_of_file(file.path); found != expected)
    throw_usage(fmt::format("'{}' is not the {} that '{}' was trained with: its SHA-256 is {}, not {}",
                            file.path, file.name, lora.path, found, expected));
}

// Every file that the training read is there, with the same bytes.
void check_model(const LoraReport& lora, const RunSources& sources, const TrainSettings& settings,
                 FileSource& files) {
  const auto model = open_base_model(files, find_model(sources.model, files),
                                     {.v2 = settings.v2,
                                      .v_parameterization = settings.v_parameterization,
                                      .tokenizer_folder = sources.tokenizers});
  const NamedValues digests = stored_object(lora, "leco_base_model");
  const std::vector<WeightFile> weight_files = model->weight_files();
  for (const WeightFile& file : weight_files) check_digest(lora, digests, file);
  for (const auto& [name, digest] : digests)
    if (name != kNetworkWeights &&
        std::ranges::find(weight_files, name, &WeightFile::name) == weight_files.end())
      throw_usage(fmt::format("'{}' was trained with a '{}' (SHA-256 {}), which '{}' does not have",
                              lora.path, name, digest, sources.model));
}

// What a run.toml without the model's path says in its place.
std::string missing_model(const NamedValues& digests) {
  std::string text =
      fmt::format("#\n# The model is not named here, give --{}. Its files and their SHA-256:\n", kModel);
  for (const auto& [name, digest] : digests)
    if (name != kNetworkWeights) text += fmt::format("#   {}  {}\n", digest, one_line(name));
  return text;
}

int64_t stored_steps(const LoraReport& lora, const TrainSettings& settings) {
  const auto found = lora.metadata.find("ss_steps");
  const int64_t steps = found == lora.metadata.end() ? 0 : std::atoll(found->second.c_str());
  return steps > 0 ? steps : settings.max_train_steps;
}

// The name that lora_path() made the file's of.
std::string output_name(const std::string& path, int64_t steps) {
  std::string name = std::filesystem::path(path).stem().string();
  const std::string ending = fmt::format("-step{:08}", steps);
  if (name.ends_with(ending)) name.resize(name.size() - ending.size());
  return name;
}

void add_sources(RunFlags& flags, const LoraReport& lora, const RunSources& sources, FileSource& files) {
  const std::string weights = digest_of(stored_object(lora, "leco_base_model"), kNetworkWeights);
  if (!sources.model.empty()) {
    check_model(lora, sources, flags.settings(), files);
    flags.add(kModel, {absolute_where_it_exists(sources.model)});
  }
  if (!sources.tokenizers.empty()) flags.add("tokenizer_cache_dir", {absolute(sources.tokenizers)});
  if (!sources.network_weights.empty()) {
    if (weights.empty())
      throw_usage(fmt::format("--network_weights={}: '{}' was not started from a LoRA",
                              sources.network_weights, lora.path));
    check_digest(lora, {{kNetworkWeights, weights}}, {kNetworkWeights, sources.network_weights});
    flags.add(kNetworkWeights, {absolute(sources.network_weights)});
  } else if (!weights.empty()) {  // no such file: a run without it must not start from nothing
    flags.add(kNetworkWeights, {"the LoRA file whose SHA-256 is " + weights});
  }
}

void add_names(RunFlags& flags, const LoraReport& lora, const RunSources& sources) {
  const int64_t steps = stored_steps(lora, flags.settings());
  flags.add("prompts_file", {absolute((std::filesystem::path(sources.folder) / kPromptsName).string())});
  flags.add("output_dir", {absolute(sources.folder)});
  flags.add("output_name", {output_name(lora.path, steps)});
  if (steps != flags.settings().max_train_steps) flags.add("save_every_n_steps", {std::to_string(steps)});
  if (const auto comment = lora.metadata.find("ss_training_comment"); comment != lora.metadata.end())
    flags.add("training_comment", {comment->second});
}

std::vector<std::string> notices_of(const LoraReport& lora, const TrainSettings& settings) {
  std::vector<std::string> notices;
  if (const std::string made_by = stored(lora, "leco_version"); made_by != kVersion)
    notices.push_back(
        fmt::format("the file was made by leco {}, and this is {}: another version, or another "
                    "libtorch, may round differently",
                    one_line(made_by), kVersion));
  if (const auto hash = lora.metadata.find("sshs_model_hash");
      hash != lora.metadata.end() && hash->second != lora.data_hash)
    notices.push_back("the file's weights were changed after its training; the run gives those from before");
  if (lora.metadata.contains("leco_recommended_range"))
    notices.push_back(
        "leco evaluate has added leco_recommended_range to the file; the run gives the file from before");
  if (!settings.deterministic)
    notices.push_back("the file was trained with --deterministic=false, which does not repeat bit for bit");
  return notices;
}

std::string header(const LoraReport& lora, const RunSources& sources,
                   const std::vector<std::string>& notices) {
  std::string text = fmt::format(
      "# The training that made '{}', from its metadata by leco inspect --config. The same bytes come out "
      "of\n"
      "#   leco train --config_file={}{}\n# on any number of ranks, with leco {} on the same kind of device: "
      "{}.\n",
      one_line(std::filesystem::path(lora.path).filename().string()),
      one_line(absolute((std::filesystem::path(sources.folder) / kRunName).string())),
      sources.model.empty() ? fmt::format(" --{}=MODEL", kModel) : "", one_line(stored(lora, "leco_version")),
      one_line(stored(lora, "leco_device")));
  for (const std::string& notice : notices) text += "# But " + notice + ".\n";
  if (sources.model.empty()) text += missing_model(stored_object(lora, "leco_base_model"));
  return text + "\n";
}

// The pairs as a prompt file, read again to be sure of it.
std::string prompts_of(const LoraReport& lora) {
  const std::string json = stored(lora, "leco_pairs");
  const auto pairs = pairs_of_json(json, fmt::format("'{}', leco_pairs", lora.path));
  const std::string text = "# Sliders, neutrals and attributes are expanded here, pair by pair.\n" +
                           prompt_file_text(pairs, stored(lora, "ss_leco_prompts_file"));
  const PromptFile again = load_prompt_file(kPromptsName, [&](const std::string&) { return text; });
  if (pairs_json(again.pairs) != json)
    throw_usage(fmt::format(
        "'{}': this version ({}) reads its leco_pairs differently, so it cannot make the file again",
        lora.path, kVersion));
  return text;
}

}  // namespace

RunFiles run_files_of(const LoraReport& lora, const RunSources& sources, FileSource& files) {
  RunFlags flags(lora);
  add_sources(flags, lora, sources, files);
  add_names(flags, lora, sources);
  RunFiles run{.run = {}, .prompts = prompts_of(lora), .notices = notices_of(lora, flags.settings())};
  run.run = header(lora, sources, run.notices) + flags.text();
  return run;
}

std::vector<std::string> write_run_files(const RunFiles& run, const std::string& folder) {
  prepare_folder("config", folder);
  const std::vector<std::pair<std::string, const std::string&>> files = {
      {(std::filesystem::path(folder) / kRunName).string(), run.run},
      {(std::filesystem::path(folder) / kPromptsName).string(), run.prompts}};
  std::vector<std::string> paths;
  for (const auto& [path, text] : files) {
    std::error_code failure;
    if (std::filesystem::exists(path, failure))
      throw_usage(fmt::format("--config={}: '{}' exists already; name another folder", folder, path));
  }
  for (const auto& [path, text] : files) {
    write_file_atomically(path, text);
    paths.push_back(path);
  }
  return paths;
}

}  // namespace leco
