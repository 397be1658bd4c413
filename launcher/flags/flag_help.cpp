#include "launcher/flags/flag_help.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <sstream>
#include <vector>

namespace leco {
namespace {

constexpr size_t kHelpColumns = 80;

std::string_view status_text(FlagStatus status) {
  switch (status) {
    case FlagStatus::kWorks:
      return "works";
    case FlagStatus::kNoEffect:
      return "no effect";
    case FlagStatus::kRefused:
      return "refused";
  }
  return "";
}

std::string meaning(const Flag& flag) {
  return flag.help.empty() ? flag.reason : flag.help;
}

// Of UTF-8 text, in characters.
size_t width(std::string_view text) {
  return static_cast<size_t>(
      std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

// Lines of kHelpColumns at most, broken at spaces, and at '|' where a word is longer than a line; the first
// starts with `indent` spaces, the others with `further`.
std::string wrapped(const std::string& text, size_t indent, size_t further) {
  std::istringstream words(text);
  std::string out, line(indent, ' ');
  bool starts = true;
  const auto append = [&](const std::string& word, bool with_space) {
    if (!starts && width(line) + with_space + width(word) > kHelpColumns) {
      out += line + "\n";
      line.assign(further, ' ');
      with_space = false;
    }
    line += (with_space && !starts ? " " : "") + word;
    starts = false;
  };
  for (std::string word; words >> word;) {
    bool with_space = true;
    while (width(word) + further > kHelpColumns && word.find('|') != std::string::npos) {
      const size_t cut = word.find('|') + 1;
      append(word.substr(0, cut), with_space);
      word = word.substr(cut);
      with_space = false;
    }
    append(word, with_space);
  }
  return out + line + "\n";
}

// "--network_dim N (default: 4)"; that a switch is off goes without saying.
std::string heading(const Flag& flag) {
  std::string text = "--" + flag.name;
  if (!flag.form.metavar.empty()) text += " " + flag.form.metavar;
  const std::string initial = flag.form.show();
  const bool is_off = flag.form.kind == ValueKind::kSwitch && initial == "false";
  if (flag.is_setting && !initial.empty() && !is_off) text += fmt::format(" (default: {})", initial);
  return text;
}

// Flags of one status that change nothing: those with the same reason in one paragraph.
std::string without_use(std::span<const Flag> table, FlagStatus status, const std::string& title) {
  std::vector<std::pair<std::string, std::string>> paragraphs;  // reason, flags
  for (const Flag& flag : table) {
    if (flag.status != status) continue;
    const std::string reason = meaning(flag);
    const auto known = std::ranges::find(paragraphs, reason, &std::pair<std::string, std::string>::first);
    if (known == paragraphs.end())
      paragraphs.emplace_back(reason, heading(flag));
    else
      known->second += ", " + heading(flag);
  }
  std::string out;
  for (const auto& [reason, flags] : paragraphs) out += wrapped(flags, 2, 2) + wrapped(reason, 6, 6);
  return out.empty() ? "" : fmt::format("\n{}:\n{}", title, out);
}

std::string in_code(const std::string& text) {
  return text.empty() ? "–" : fmt::format("`{}`", text);
}

// A '|' would end the table's cell, also inside code.
std::string in_cell(const std::string& text) {
  std::string out;
  for (const char c : text) out += c == '|' ? "\\|" : std::string(1, c);
  return out;
}

}  // namespace

std::string flags_as_help(std::span<const Flag> table) {
  std::string out, group;
  for (const Flag& flag : table) {
    if (flag.status != FlagStatus::kWorks) continue;
    if (flag.group != group) out += fmt::format("\n{}:\n", group = flag.group);
    out += wrapped(heading(flag), 2, 6) + wrapped(meaning(flag), 6, 6);
  }
  return out +
         without_use(table, FlagStatus::kNoEffect, "Taken without effect, each with a line that says why") +
         without_use(table, FlagStatus::kRefused, "Refused: they cannot mean anything here");
}

std::string flags_as_markdown(std::span<const Flag> table) {
  std::string out, group;
  for (const Flag& flag : table) {
    if (flag.group != group) {
      out += fmt::format(
          "\n## {}\n\n| flag | value | default | status | meaning |\n| --- | --- | --- | --- | --- |\n",
          group = flag.group);
    }
    const std::string initial = flag.is_setting ? flag.form.show() : "";
    out += fmt::format("| `--{}` | {} | {} | {} | {} |\n", flag.name, in_cell(in_code(flag.form.metavar)),
                       in_cell(in_code(initial)), status_text(flag.status), in_cell(meaning(flag)));
  }
  return out;
}

}  // namespace leco
