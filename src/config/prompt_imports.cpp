#include "config/prompt_imports.h"

#include <algorithm>

#include "config/ai_toolkit_job.h"

namespace leco {
namespace {

using Kind = ConfigNode::Kind;

// An entry as LECO and its forks know it: the keys of a pair, with another default of `neutral`, and with
// keys that circulate although those programs drop them.
void translate_pair(ConfigNode& entry, const ConfigTable& as_written, Notices& notices) {
  if (as_written.has("guidance")) {
    if (as_written.has("guidance_scale"))
      as_written.fail("guidance", "means what 'guidance_scale' beside it says; keep one of the two");
    add_notice(notices, as_written, "guidance",
               "is taken as guidance_scale; LECO and sliders drop the key and train at 1");
  }
  if (as_written.has("rank"))
    add_notice(notices, as_written, "rank", "has no effect: the rank is set with --network_dim");
  if (as_written.has("bucketing"))
    add_notice(notices, as_written, "bucketing", "has no effect, as in LECO; dynamic_resolution draws sizes");
  std::erase_if(entry.table,
                [](const ConfigEntry& pair) { return pair.key == "rank" || pair.key == "bucketing"; });
  for (ConfigEntry& pair : entry.table)
    if (pair.key == "guidance") pair.key = "guidance_scale";
  const ConfigEntry* unconditional = entry.find("unconditional");
  if (unconditional != nullptr && entry.find("neutral") == nullptr)
    entry.table.push_back({"neutral", unconditional->line, unconditional->value});
}

ConfigNode import_list(ConfigNode root, const ConfigSource& source, Notices& notices) {
  for (size_t i = 0; i < root.list.size(); ++i) {
    ConfigNode& entry = root.list[i];
    if (!entry.is(Kind::kTable)) continue;  // refused where all entries are read
    const ConfigNode as_written = entry;
    translate_pair(entry, ConfigTable(as_written, source, source.entry("prompts", i + 1)), notices);
  }
  const int64_t line = root.line;
  return table_node({{"prompts", line, std::move(root)}}, line);
}

}  // namespace

ConfigNode import_yaml_prompts(ConfigNode root, const ConfigSource& source, Notices& notices) {
  if (root.is(Kind::kList)) return import_list(std::move(root), source, notices);
  if (root.is(Kind::kNothing)) return table_node({}, 1);
  if (!root.is(Kind::kTable)) {
    fail_at(source.path, root.line,
            "the file is neither a list of entries nor a table of keys; docs/prompts.md shows both");
  }
  if (is_ai_toolkit_job(root)) return import_ai_toolkit_job(root, source, notices);
  return root;
}

}  // namespace leco
