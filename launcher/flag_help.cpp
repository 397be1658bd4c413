#include "launcher/flag_help.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <sstream>

namespace leco {
namespace {

std::string_view status_text(FlagStatus status) {
  switch (status) {
    case FlagStatus::kWorks:
      return "works";
    case FlagStatus::kNoEffect:
      return "no effect";
    case FlagStatus::kRefused:
      return "refused";
    case FlagStatus::kLater:
      return "not in this version";
  }
  return "";
}

std::string meaning(const Flag& flag) {
  if (flag.help.empty()) return flag.reason;
  if (flag.form.later.empty()) return flag.help;
  return fmt::format("{} (not in this version: {})", flag.help, fmt::join(flag.form.later, ", "));
}

// Breaks at spaces; every line starts with `indent` spaces.
std::string wrapped(const std::string& text, size_t indent) {
  constexpr size_t kColumns = 100;
  std::istringstream words(text);
  std::string out, line(indent, ' ');
  for (std::string word; words >> word;) {
    if (line.size() > indent && line.size() + 1 + word.size() > kColumns) {
      out += line + "\n";
      line.assign(indent, ' ');
    }
    line += (line.size() > indent ? " " : "") + word;
  }
  return out + line + "\n";
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
    if (flag.group != group) out += fmt::format("\n{}:\n", group = flag.group);
    out += "  --" + flag.name;
    if (!flag.form.metavar.empty()) out += " " + flag.form.metavar;
    if (const std::string initial = flag.form.show(); flag.is_setting && !initial.empty()) {
      out += fmt::format("  (default: {})", initial);
    }
    const bool works = flag.status == FlagStatus::kWorks;
    out +=
        "\n" +
        wrapped(works ? meaning(flag) : fmt::format("[{}] {}", status_text(flag.status), meaning(flag)), 6);
  }
  return out;
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
