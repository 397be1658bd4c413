#include "config/prompt_neutrals.h"

#include <filesystem>

#include <fmt/format.h>

#include "core/error.h"
#include "core/trimmed.h"
#include "core/utf8.h"

namespace leco {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

struct NeutralLines {
  std::vector<std::string> prompts;
  int64_t comments = 0;
};

NeutralLines split_lines(std::string_view text) {
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  NeutralLines lines;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = trimmed(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.empty()) continue;
    if (line.front() == '#') {
      ++lines.comments;
    } else {
      lines.prompts.emplace_back(line);
    }
  }
  return lines;
}

}  // namespace

const std::vector<std::string>& NeutralPrompts::file(const ConfigTable& table, std::string_view key,
                                                     Notices& notices) {
  const std::string given = table.text(key);
  if (given.empty()) table.fail(key, "must name a text file, not be \"\"");
  const std::string path = (std::filesystem::path(table.path()).parent_path() / given).string();
  if (const auto known = files_.find(path); known != files_.end()) return known->second;
  std::string text;
  try {
    text = read_(path);
  } catch (const Error& error) {
    if (error.status() == ExitStatus::kUsage)
      table.fail(key, fmt::format("cannot be used: {}", error.what()));
    throw;
  }
  if (text.size() > kMaxConfigBytes) {
    table.fail(key,
               fmt::format("names '{}' of {} bytes; the limit is {}", path, text.size(), kMaxConfigBytes));
  }
  if (!is_utf8(text) || text.find('\0') != std::string::npos)
    table.fail(key, fmt::format("names '{}', which is not UTF-8 text", path));
  NeutralLines lines = split_lines(text);
  if (lines.prompts.empty())
    table.fail(key, fmt::format("names '{}', which holds no prompt; write one a line", path));
  if (lines.comments > 0) {
    add_notice(
        notices, table, key,
        fmt::format("names '{}' with {} line(s) that start with '#': taken as comments, not as prompts", path,
                    lines.comments));
  }
  return files_.emplace(path, std::move(lines.prompts)).first->second;
}

std::vector<std::string> NeutralPrompts::of(const ConfigTable* own, const Levels& outer, Notices& notices) {
  // Asked for in any case, so that an outer list that every entry replaces still counts as a default.
  const ConfigTable* list = outer.find("neutrals");
  const ConfigTable* first_file = outer.find("neutral_prompt_file");
  const ConfigTable* second_file = outer.find("prompt_file");
  const bool any_list = list != nullptr || first_file != nullptr || second_file != nullptr;
  const std::string single = any_list ? "" : outer.text("neutral", "");
  if (own != nullptr) {
    const Levels entry({own});
    if (entry.find("neutrals") != nullptr) return own->texts("neutrals");
    if (entry.find("neutral_prompt_file") != nullptr) return file(*own, "neutral_prompt_file", notices);
    if (entry.find("prompt_file") != nullptr) return file(*own, "prompt_file", notices);
    if (entry.find("neutral") != nullptr) return {own->text("neutral")};
  }
  if (!any_list) return {single};
  std::vector<std::string> prompts;
  if (list != nullptr) prompts = list->texts("neutrals");
  const auto append = [&](const ConfigTable* table, std::string_view key) {
    if (table == nullptr) return;
    const auto& lines = file(*table, key, notices);
    prompts.insert(prompts.end(), lines.begin(), lines.end());
  };
  append(first_file, "neutral_prompt_file");
  append(second_file, "prompt_file");
  return prompts;
}

}  // namespace leco
