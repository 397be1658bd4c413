#include "config/ai_toolkit_job.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace leco {
namespace {

using Kind = ConfigNode::Kind;

struct Section {
  std::string_view key, flags;
};

// What a job sets besides its sliders, and the flags of `leco train` for it.
constexpr std::array kOfProcess = {
    Section{"network", "--network_dim, --network_alpha"},
    Section{"train",
            "--max_train_steps, --learning_rate, --max_denoising_steps, --optimizer_type, --min_snr_gamma, "
            "--noise_offset, --mixed_precision; batch_size in the prompt file"},
    Section{"model", "--pretrained_model_name_or_path, --v2, --v_parameterization"},
    Section{"save", "--save_every_n_steps, --save_precision"},
    Section{"sample", "--sample_every_n_steps, --sample_prompts"},
    Section{"logging", "--logging_dir, --log_with"},
    Section{"datasets", "none: no pictures are needed"},
};
constexpr std::array kOfConfig = {
    Section{"name", "--output_name"},
    Section{"training_folder", "--output_dir"},
    Section{"device", "--device"},
    Section{"log_dir", "--logging_dir"},
};

void remove(ConfigNode& table, std::string_view key) {
  std::erase_if(table.table, [key](const ConfigEntry& entry) { return entry.key == key; });
}

bool is_blank(const ConfigEntry* entry) {
  return entry == nullptr ||
         (entry->value.is(Kind::kText) && entry->value.text.find_first_not_of(" \t") == std::string::npos);
}

// ai-toolkit takes a pole that is "" for one that is not there, and a missing class for "".
ConfigNode translate_target(const ConfigTable& as_written, ConfigNode target) {
  if (as_written.has("shuffle")) {
    if (as_written.flag("shuffle"))
      as_written.fail(
          "shuffle",
          "is refused: it trains on up to 8 orders of the words between commas, drawn without a seed; "
          "write the orders you want as targets of their own");
    remove(target, "shuffle");
  }
  if (target.find("target_class") == nullptr)
    target.table.push_back({"target_class", target.line, text_node("", target.line)});
  for (const char* pole : {"positive", "negative"})
    if (is_blank(target.find(pole))) remove(target, pole);
  return target;
}

// [width, height] becomes [height, width]; what is neither is left for the check of all prompt files.
void turn_sizes(ConfigNode& sizes) {
  for (ConfigNode& size : sizes.list)
    if (size.list.size() == 2) std::swap(size.list[0], size.list[1]);
}

// Keys of the slider section that act on how ai-toolkit computes, or that need pictures.
void drop_foreign_keys(ConfigNode& slider, const ConfigTable& as_written, Notices& notices) {
  constexpr std::array kWithoutEffect = {
      Section{"batch_full_slide", "--pairs_per_step says how many pairs make a step"},
      Section{"low_ram",
              "every item goes through the model on its own unless --items_per_pass says otherwise"},
      Section{"prompt_tensors", "every prompt is encoded once, in seconds"}};
  for (const auto& [key, why] : kWithoutEffect) {
    if (!as_written.has(key)) continue;
    add_notice(notices, as_written, key, fmt::format("has no effect: {}", why));
    remove(slider, key);
  }
  for (const char* key : {"use_adapter", "adapter_img_dir"}) {
    if (!as_written.has(key)) continue;
    if (!as_written.node(key).is(Kind::kNothing))
      as_written.fail(key, "is refused: it guides training by pictures, and LECO trains from prompts alone");
    remove(slider, key);
  }
  if (!as_written.has("anchors")) return;
  const ConfigNode& anchors = as_written.node("anchors");
  if (!anchors.is(Kind::kNothing) && !(anchors.is(Kind::kList) && anchors.list.empty()))
    as_written.fail(
        "anchors",
        "is refused: ai-toolkit encodes these prompts and leaves them out of its loss, so there is "
        "nothing to take over; 'preserve' on a target keeps attributes apart");
  remove(slider, "anchors");
}

ConfigNode translate_slider(const ConfigTable& as_written, ConfigNode slider, Notices& notices) {
  drop_foreign_keys(slider, as_written, notices);
  if (as_written.has("prompt_file")) {
    if (as_written.node("prompt_file").is(Kind::kNothing)) {
      remove(slider, "prompt_file");
    } else {
      add_notice(
          notices, as_written, "prompt_file",
          "gives neutral prompts, its path relative to this file; ai-toolkit also writes them behind the "
          "class and the poles");
    }
  }
  for (ConfigEntry& entry : slider.table) {
    if (entry.key == "resolutions") turn_sizes(entry.value);
    if (entry.key != "targets") continue;
    for (size_t i = 0; i < entry.value.list.size(); ++i) {
      ConfigNode& target = entry.value.list[i];
      if (!target.is(Kind::kTable)) continue;  // refused where all entries are read
      const ConfigNode written = target;
      target = translate_target(
          ConfigTable(written, as_written.source(), as_written.source().entry("slider.targets", i + 1)),
          written);
    }
  }
  return slider;
}

ConfigTable slider_process(const ConfigTable& config) {
  if (!config.has("process")) config.fail("process", "is missing: a list with one entry of 'type: slider'");
  std::vector<ConfigTable> sliders;
  std::vector<std::string> types;
  for (const ConfigTable& process : config.tables("process", "config.process")) {
    types.push_back(process.has("type") ? process.text("type") : "none");
    if (types.back() == "slider") sliders.push_back(process);
  }
  if (sliders.empty())
    config.fail("process",
                fmt::format("has no entry of type 'slider', only: {}; other jobs train on pictures",
                            fmt::join(types, ", ")));
  if (sliders.size() > 1)
    config.fail("process",
                fmt::format("has {} entries of type 'slider'; a prompt file is one training, so keep "
                            "one in each file",
                            sliders.size()));
  return sliders.front();
}

void note_other_sections(const ConfigTable& config, const ConfigTable& process, Notices& notices) {
  std::vector<std::string> known, unknown;
  const auto sort = [&](const ConfigTable& table, std::span<const Section> sections,
                        std::initializer_list<std::string_view> used) {
    for (const std::string& key : table.keys()) {
      if (std::ranges::find(used, key) != used.end()) continue;
      const auto section = std::ranges::find(sections, key, &Section::key);
      if (section == sections.end())
        unknown.push_back(shown(key));
      else
        known.push_back(fmt::format("{} ({})", key, section->flags));
    }
  };
  sort(config, kOfConfig, {"process"});
  sort(process, kOfProcess, {"type", "slider"});
  if (known.empty() && unknown.empty()) return;
  const std::string others =
      unknown.empty() ? "" : fmt::format("{}{}", known.empty() ? "" : ", ", fmt::join(unknown, ", "));
  notices.push_back(fmt::format("{}, line {}: of this job only the sliders are read; set by flags: {}{}",
                                config.path(), config.line(), fmt::join(known, ", "), others));
}

}  // namespace

bool is_ai_toolkit_job(const ConfigNode& root) {
  return root.find("job") != nullptr || root.find("config") != nullptr;
}

ConfigNode import_ai_toolkit_job(const ConfigNode& root, const ConfigSource& source, Notices& notices) {
  const ConfigTable top(root, source, "top level");
  const std::vector<std::string> known = {"job", "config", "meta"};
  top.refuse_unknown(known);
  if (!top.has("config")) top.fail("job", "makes this a job of ai-toolkit, and its 'config' is missing");
  const ConfigTable config = top.table("config");
  const ConfigTable process = slider_process(config);
  if (!process.has("slider")) process.fail("type", "is slider, and the section 'slider' is missing");
  const ConfigTable slider = process.table("slider");
  note_other_sections(config, process, notices);
  const int64_t line = process.line("slider");
  return table_node({{"slider", line, translate_slider(slider, process.node("slider"), notices)}}, line);
}

}  // namespace leco
