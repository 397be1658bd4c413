#include "config/sample_prompts.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>

#include "config/config_table.h"
#include "config/sample_options.h"
#include "config/toml_reader.h"
#include "core/error.h"
#include "core/trimmed.h"
#include "core/utf8.h"

namespace leco {
namespace {

using nlohmann::json;

constexpr int kDeepestJson = 8;

std::string at_line(const std::string& path, int64_t line) {
  return fmt::format("{}, line {}", path, line);
}

void check_text(const std::string& place, std::string_view text) {
  if (!is_utf8(text)) fail_in(place, "this is not UTF-8; save the file in that encoding");
  if (text.find('\0') != std::string_view::npos) fail_in(place, "holds a zero byte, so it is no text");
}

std::vector<SamplePrompt> read_lines(const std::string& path, std::string_view text) {
  std::vector<SamplePrompt> prompts;
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);  // a byte-order mark
  for (int64_t number = 1; !text.empty(); ++number) {
    const size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (trimmed(line).empty() || line.starts_with('#')) continue;
    const std::string place = at_line(path, number);
    check_text(place, line);
    prompts.push_back(parse_sample_line(line, place));
  }
  return prompts;
}

// Sets what an entry of a table says; `quoted` is the value as the message has it.
void set_key(SamplePrompt& prompt, const std::string& key, const OptionValue& value,
             const std::string& quoted) {
  if (key == "prompt") {
    const auto* text = std::get_if<std::string>(&value);
    if (text == nullptr) fail_in(prompt.place, fmt::format("'prompt' must be a text, not {}", quoted));
    prompt.prompt = *text;
    return;
  }
  const SampleOption* option = option_of_table(key);
  if (option == nullptr) fail_in(prompt.place, why_not_in_table(key));
  if (!set_option(prompt, *option, value))
    fail_in(prompt.place, fmt::format("'{}' must be {}, not {}", key, option->wanted, quoted));
}

OptionValue value_of(const ConfigNode& node) {
  using Kind = ConfigNode::Kind;
  const auto number_of = [](const ConfigNode& number) {
    return number.is(Kind::kInteger) ? static_cast<double>(number.integer) : number.number;
  };
  if (node.is(Kind::kText)) return node.text;
  if (node.is(Kind::kInteger) && node.integer >= 0) return static_cast<uint64_t>(node.integer);
  if (node.is(Kind::kInteger) || node.is(Kind::kNumber)) return number_of(node);
  if (!node.is(Kind::kList)) return {};
  std::vector<double> list;
  for (const ConfigNode& element : node.list) {
    if (!element.is(Kind::kInteger) && !element.is(Kind::kNumber)) return {};
    list.push_back(number_of(element));
  }
  return list;
}

void set_keys(SamplePrompt& prompt, const ConfigTable& table, const std::string& except) {
  for (const std::string& key : table.keys()) {
    if (key == except) continue;
    prompt.place = at_line(table.path(), table.line(key));
    set_key(prompt, key, value_of(table.node(key)), describe(table.node(key)));
  }
}

std::vector<SamplePrompt> read_toml(const std::string& path, std::string_view text) {
  const ConfigNode parsed = parse_toml(path, text);
  const ConfigTable top(parsed, {path}, "top level");
  const std::vector<std::string> known = {"prompt"};
  top.refuse_unknown(known);
  if (!top.has("prompt")) fail_in(path, "holds no prompt; write [[prompt.subset]] with a 'prompt'");
  const ConfigTable defaults = top.table("prompt");
  if (!defaults.has("subset")) defaults.fail("subset", "is missing: write each prompt as [[prompt.subset]]");
  std::vector<SamplePrompt> prompts;
  for (const ConfigTable& subset : defaults.tables("subset", "prompt.subset")) {
    SamplePrompt& prompt = prompts.emplace_back();
    set_keys(prompt, defaults, "subset");
    set_keys(prompt, subset, "");
    prompt.place = at_line(path, subset.line());
    if (!defaults.has("prompt") && !subset.has("prompt")) fail_in(prompt.place, "'prompt' is missing");
  }
  return prompts;
}

OptionValue value_of(const json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_number_unsigned()) return value.get<uint64_t>();
  if (value.is_number()) return value.get<double>();
  if (!value.is_array() || !std::ranges::all_of(value, [](const json& v) { return v.is_number(); }))
    return {};
  return value.get<std::vector<double>>();
}

// What nlohmann-json lets through: a key that comes twice, and any depth.
json parse_json(const std::string& path, std::string_view text) {
  std::vector<std::set<std::string>> keys;
  const auto watch = [&](int depth, json::parse_event_t event, json& parsed) {
    if (depth > kDeepestJson) fail_in(path, "lists and objects lie too deep in each other");
    if (event == json::parse_event_t::object_start) keys.emplace_back();
    if (event == json::parse_event_t::object_end) keys.pop_back();
    if (event == json::parse_event_t::key && !keys.back().insert(parsed.get<std::string>()).second)
      fail_in(path, fmt::format("the key '{}' comes twice in an entry", shown(parsed.get<std::string>())));
    return true;
  };
  try {
    return json::parse(text, watch);
  } catch (const json::parse_error& error) {
    const auto line = 1 + std::ranges::count(text.substr(0, error.byte > 0 ? error.byte - 1 : 0), '\n');
    fail_in(at_line(path, line), "not valid JSON");
  } catch (const json::out_of_range&) {
    fail_in(path, "holds a number that is too large to be read");
  }
}

std::vector<SamplePrompt> read_json(const std::string& path, std::string_view text) {
  const json entries = parse_json(path, text);
  if (!entries.is_array()) fail_in(path, "must be a list of prompts");
  std::vector<SamplePrompt> prompts;
  for (const json& entry : entries) {
    const std::string place = fmt::format("{}, entry {}", path, prompts.size() + 1);
    if (entry.is_string()) {
      check_text(place, entry.get<std::string>());
      prompts.push_back(parse_sample_line(entry.get<std::string>(), place));
      continue;
    }
    if (!entry.is_object()) fail_in(place, "must be an object or a text");
    SamplePrompt& prompt = prompts.emplace_back(SamplePrompt{.place = place});
    for (const auto& [key, value] : entry.items()) set_key(prompt, key, value_of(value), shown(value.dump()));
    if (!entry.contains("prompt")) fail_in(place, "'prompt' is missing");
  }
  return prompts;
}

std::vector<SamplePrompt> read_by_extension(const std::string& path, const ReadFile& read) {
  std::string extension = std::filesystem::path(path).extension().string();
  std::ranges::transform(extension, extension.begin(), [](unsigned char c) { return std::tolower(c); });
  const auto reader = extension == ".txt"    ? read_lines
                      : extension == ".toml" ? read_toml
                      : extension == ".json" ? read_json
                                             : nullptr;
  if (reader == nullptr)
    fail_in(path, fmt::format("a file of sample prompts ends in .txt, .toml or .json, not in '{}'",
                              shown(extension)));
  const std::string text = read(path);
  if (text.size() > kMaxConfigBytes) fail_in(path, fmt::format("has more than {} bytes", kMaxConfigBytes));
  return reader(path, text);
}

}  // namespace

std::vector<SamplePrompt> load_sample_prompts(const std::string& path, const ReadFile& read) {
  std::vector<SamplePrompt> prompts = read_by_extension(path, read);
  if (prompts.empty()) fail_in(path, "holds no prompt to draw");
  for (SamplePrompt& prompt : prompts) check_text(prompt.place, prompt.prompt);
  return prompts;
}

}  // namespace leco
