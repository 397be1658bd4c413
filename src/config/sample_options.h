// The options of a sample prompt: their names in lines and in tables, and what their values must be.
#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "config/sample_prompts.h"

namespace leco {

// A value as a file has it. Text of a .txt file has been turned into a number where the option wants one and
// it is one.
using OptionValue = std::variant<std::monostate,  // another type: a table, a date, true
                                 std::string, double, uint64_t, std::vector<double>>;

struct SampleOption {
  std::string_view letters;  // in lines: "w" for --w
  std::string_view key;      // in tables
  enum class Kind { kText, kInteger, kNumber, kNumbers } kind;
  void (*set)(SamplePrompt& prompt, const OptionValue& value);
  std::string_view wanted;  // "a whole number from 1 to 1000"
};

// nullptr for a name that is not known.
const SampleOption* option_of_line(std::string_view letters);
const SampleOption* option_of_table(std::string_view key);

// Why a name that sd-scripts knows is refused; for other names which ones are known.
std::string why_not_in_line(std::string_view letters);
std::string why_not_in_table(std::string_view key);

// False when the value is not what the option wants; nothing is set then.
bool set_option(SamplePrompt& prompt, const SampleOption& option, const OptionValue& value);

// "a cat --w 512". Errors name the place.
SamplePrompt parse_sample_line(std::string_view line, const std::string& place);

[[noreturn]] void fail_in(const std::string& place, const std::string& what);

}  // namespace leco
