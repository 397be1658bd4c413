// Arguments within a flag's value, --optimizer_args "betas=0.9,0.99" "eps=1e-6": what a name fills, and what
// may stand there. Values are written as in sd-scripts, which reads them as Python literals.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

namespace leco {

using NumberPair = std::array<double, 2>;

struct NumberLimits {
  double lowest = -std::numeric_limits<double>::infinity();
  double below = std::numeric_limits<double>::infinity();  // not included
  bool above_lowest = false;                               // `lowest` itself is not included
  bool may_be_infinite = false;
};

// Bound to the variable that it fills, which holds the default until then.
struct NamedArgument {
  std::string name;
  std::variant<double*, std::optional<double>*, NumberPair*, int64_t*, bool*, std::string*> target;
  NumberLimits limits = {};             // of numbers, both of a pair
  std::vector<std::string> words = {};  // what a text may be; empty: anything
};

// Accepted because other programs take it, and without effect here. Where `only` is given, that value passes
// and others are refused.
struct InertArgument {
  std::string name;
  std::string reason;
  std::string only = "";
};

struct ArgumentList {
  std::string owner;  // "AdamW": whose arguments they are
  std::vector<NamedArgument> arguments;
  std::vector<InertArgument> inert = {};
};

// Sets what `words` ("name=value") name. `refuse` is called with what was expected instead, and throws.
// Returns a line for each argument that has no effect.
std::vector<std::string> set_arguments(const ArgumentList& list, std::span<const std::string> words,
                                       const std::function<void(const std::string&)>& refuse);

// "name=value" for each argument, in order, as set_arguments() reads it; without what is unset or empty.
std::vector<std::string> argument_words(const ArgumentList& list);

// "a number of at least 0 and below 1", "True or False", …
std::string allowed_values(const NamedArgument& argument);
std::string value_text(const NamedArgument& argument);  // "None" where nothing is set

}  // namespace leco
