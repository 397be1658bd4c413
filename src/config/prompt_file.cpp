#include "config/prompt_file.h"

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <optional>

#include <fmt/format.h>

#include "config/prompt_imports.h"
#include "config/prompt_keys.h"
#include "config/prompt_neutrals.h"
#include "config/prompt_sliders.h"
#include "config/toml_reader.h"
#include "config/yaml_reader.h"
#include "core/error.h"

namespace leco {
namespace {

// The tables of one file, and what has been made of them so far.
class PromptReader {
 public:
  PromptReader(const ConfigTable& top, const ReadFile& read, Notices notices) : top_(top), neutrals_(read) {
    file_.notices = std::move(notices);
    file_.recorded_as = std::filesystem::path(top.path()).filename().string();
  }

  PromptFile run() {
    check_prompt_table(top_, TableKind::kTopLevel);
    if (top_.has("recorded_as")) {
      top_.mark_asked("recorded_as");
      file_.recorded_as = top_.text("recorded_as");
    }
    if (top_.has("slider")) {
      slider_.emplace(take_table("slider"));
      check_prompt_table(*slider_, TableKind::kSection);
    }
    if (top_.has("prompts")) read_prompts();
    if (top_.has("targets")) read_targets(top_, "targets");
    if (slider_ && slider_->has("targets")) read_targets(*slider_, "slider.targets");
    if (!has_targets()) read_entry_of_outer_levels();
    if (file_.pairs.empty()) {
      fail_at(top_.path(), top_.line(),
              fmt::format(
                  "the file holds nothing to train; write {} with a 'target', or {} with a 'target_class'",
                  top_.source().is_yaml() ? "a list of entries" : "[[prompts]]",
                  top_.source().is_yaml() ? "'targets:' and a list of entries" : "[[targets]]"));
    }
    if (slider_) note_keys_without_effect(*slider_, file_.notices);
    note_keys_without_effect(top_, file_.notices);
    return std::move(file_);
  }

 private:
  bool has_targets() const { return top_.has("targets") || (slider_ && slider_->has("targets")); }

  ConfigTable take_table(std::string_view key) const {
    top_.mark_asked(key);
    return top_.table(key);
  }

  // What sliders and the entries of targets fall back on: [slider] before the top level.
  Levels outer() const {
    return Levels(slider_ ? std::vector<const ConfigTable*>{&*slider_, &top_}
                          : std::vector<const ConfigTable*>{&top_});
  }

  void read_prompts() {
    top_.mark_asked("prompts");
    for (const ConfigTable& entry : top_.tables("prompts", "prompts")) {
      refuse_both_kinds(entry);
      if (entry.has("target_class")) {
        add_slider(entry);
      } else {
        add_pair(&entry, Levels({&top_}));
      }
    }
  }

  void read_targets(const ConfigTable& holder, const std::string& title) {
    holder.mark_asked("targets");
    for (const ConfigTable& entry : holder.tables("targets", title)) {
      refuse_both_kinds(entry);
      if (entry.has("target")) {
        add_pair(&entry, outer());
      } else {
        add_slider(entry);
      }
    }
  }

  // Without targets, the outer levels themselves may describe one slider, or one pair.
  void read_entry_of_outer_levels() {
    const Levels levels = outer();
    if (levels.find("target_class") != nullptr) {
      append(expand_slider(nullptr, levels, neutrals_, file_.notices), levels);
    } else if ((slider_ && slider_->has("target")) || (top_.has("target") && !top_.has("prompts"))) {
      add_pair(nullptr, levels);
    }
  }

  void refuse_both_kinds(const ConfigTable& entry) const {
    if (!entry.has("target") || !entry.has("target_class")) return;
    entry.fail("target", "makes this entry a pair and 'target_class' makes it a slider; keep one of the two");
  }

  void add_slider(const ConfigTable& entry) {
    check_prompt_table(entry, TableKind::kSlider);
    const Levels levels = outer().inside(&entry);
    if (levels.find("target_class") == nullptr) {
      fail_at(entry.path(), entry.line(),
              fmt::format(
                  "{}: 'target_class' is missing (the prompt that the slider acts on; \"\" for all prompts)",
                  entry.name()));
    }
    append(expand_slider(&entry, outer(), neutrals_, file_.notices), levels);
    note_keys_without_effect(entry, file_.notices);
  }

  void add_pair(const ConfigTable* entry, const Levels& outer) {
    if (entry != nullptr) check_prompt_table(*entry, TableKind::kPair);
    const Levels levels = outer.inside(entry);
    const ConfigTable* with_target = levels.find("target");
    if (with_target == nullptr) {
      fail_at(
          entry->path(), entry->line(),
          fmt::format("{}: 'target' is missing (the prompt whose picture the LoRA changes)", entry->name()));
    }
    PromptPair pair = common_settings(levels);
    pair.target = with_target->text("target");
    pair.positive = levels.text("positive", pair.target);
    pair.unconditional = levels.text("unconditional", "");
    pair.neutral = levels.text("neutral", "");
    pair.action = levels.text("action", "erase") == "erase" ? Action::kErase : Action::kEnhance;
    const Size size = pair_sizes(levels, file_.notices).front();
    pair.resolution = size.resolution;
    pair.dynamic_resolution = size.dynamic;
    if (!pair.unconditional.empty() && levels.find("neutral") == nullptr) {
      add_notice(file_.notices, entry != nullptr ? *entry : *with_target, "unconditional",
                 "is set and 'neutral' is not: the goal starts from the empty prompt \"\", as sd-scripts' "
                 "guide says; its "
                 "code would take 'unconditional' there");
    }
    const size_t first = file_.pairs.size();
    append(std::vector{pair}, levels);
    for (size_t i = first; i < file_.pairs.size(); ++i)
      file_.directions.push_back(direction_of(file_.pairs[i]));
    if (entry != nullptr) note_keys_without_effect(*entry, file_.notices);
  }

  void append(const Slider& slider, const Levels& levels) {
    append(slider.pairs, levels);
    file_.directions.push_back(slider.direction);
  }

  // Each pair becomes one copy an attribute of `preserve`, with the attribute before each of its prompts.
  void append(const std::vector<PromptPair>& pairs, const Levels& levels) {
    const auto attributes = preserved_attributes(levels);
    check_pair_count(*levels.tables().front(), file_.pairs.size() + pairs.size() * attributes.size());
    for (const PromptPair& pair : pairs) {
      for (const std::string& attribute : attributes) {
        PromptPair copy = pair;
        if (!attribute.empty()) {
          for (std::string* prompt : {&copy.target, &copy.positive, &copy.unconditional, &copy.neutral}) {
            prompt->insert(0, attribute + " ");
          }
        }
        file_.pairs.push_back(std::move(copy));
      }
    }
  }

  const ConfigTable& top_;
  std::optional<ConfigTable> slider_;  // [slider]
  NeutralPrompts neutrals_;
  PromptFile file_;
};

ConfigFormat format_of(const std::string& path) {
  std::string extension = std::filesystem::path(path).extension().string();
  std::ranges::transform(extension, extension.begin(), [](unsigned char c) { return std::tolower(c); });
  if (extension == ".toml") return ConfigFormat::kToml;
  if (extension == ".yaml" || extension == ".yml") return ConfigFormat::kYaml;
  throw_usage(
      fmt::format("{}: a prompt file's name must end in .toml, .yaml or .yml, not in '{}'", path, extension));
}

}  // namespace

PromptFile load_prompt_file(const std::string& path, const ReadFile& read) {
  const ConfigSource source{path, format_of(path)};
  const std::string text = read(path);
  Notices notices;
  const ConfigNode root = source.is_yaml() ? import_yaml_prompts(parse_yaml(path, text), source, notices)
                                           : parse_toml(path, text);
  const ConfigTable top(root, source, "top level");
  return PromptReader(top, read, std::move(notices)).run();
}

}  // namespace leco
