// Flags of a command line: what a flag is, how words become values, and what each status means. Knows no
// particular flag, so that every subcommand can describe its own in a table.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace leco {

enum class ValueKind {
  kSwitch,   // --sdpa, --sdpa=true, --sdpa=false
  kInteger,  // one word
  kNumber,   // one word
  kText,     // one word
  kWords,    // any number of words: --optimizer_args betas=0.9,0.99 eps=1e-6
};

enum class FlagStatus {
  kWorks,
  kNoEffect,  // accepted; one line says why it changes nothing here
  kRefused,   // cannot mean anything here: an error with the reason and what to do instead
};

// One flag as the user gave it.
struct Given {
  std::string name;
  ValueKind kind = ValueKind::kText;
  std::vector<std::string> words;  // exactly one unless kWords; a switch has "true" or "false"
  std::string place;               // empty on the command line, else "run.toml, line 12"

  const std::string& word() const { return words.front(); }
  std::string text() const;  // as the user wrote it: "--seed=-1" or "run.toml, line 12: 'seed = -1'"
};

// The text with its control characters as spaces: a message is one line, whatever the user gave.
std::string one_line(std::string text);

// Throws the usage error "<as given>: expected <allowed>".
[[noreturn]] void refuse_value(const Given& given, std::string_view allowed);

// How a value is written, checked and kept.
struct Form {
  ValueKind kind = ValueKind::kText;
  std::string metavar;               // "N", "FILE", "no|fp16|bf16"; empty for a switch
  std::vector<std::string> choices;  // the words it takes; empty where others are taken as well
  // Checks the words and stores the value. Throws a usage error, or returns a line to show the user (mostly
  // empty).
  std::function<std::string(const Given&)> set;
  std::function<std::string()> show;  // the present value as text; before any set() that is the default
};

struct Flag {
  std::string name;  // without the dashes
  std::string group;
  Form form;
  std::string help;  // what it does; empty where `reason` says all
  FlagStatus status = FlagStatus::kWorks;
  std::string reason;             // why it does not work here
  bool is_secret = false;         // its value is not repeated in messages
  bool is_setting = true;         // false: a command to the program itself, such as --help
  bool determines_result = true;  // false: paths, names and the like, which no weight depends on
};

// The words after the subcommand, in order. `-h` is `--help`. An unknown flag, a missing value and a word
// that belongs to no flag are usage errors; with `positionals`, such words are collected there instead.
std::vector<Given> parse_arguments(std::span<const Flag> table, std::span<const std::string> arguments,
                                   std::vector<std::string>* positionals = nullptr);

// Sets the flags in the order of the table. Of several givens of one name the last wins, as with argparse. A
// flag that does not work here passes when it asks for nothing (its default, or a switch set to false), so
// that files which list every default can be used. Returns the lines to show the user.
std::vector<std::string> apply_flags(std::span<const Flag> table, std::span<const Given> given);

const Flag* find_flag(std::span<const Flag> table, std::string_view name);  // null where there is none
const Given* find_given(std::span<const Given> given,
                        std::string_view name);  // the last; null where there is none

// The name to suggest for a mistyped one: the first that starts with it, else the nearest.
std::string suggest_flag(std::span<const Flag> table, std::string_view mistyped);

}  // namespace leco
