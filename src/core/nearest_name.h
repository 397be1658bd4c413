// "Did you mean …": the known name that is closest to a mistyped one.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace leco {

// The name of the least edit distance, where two neighbours in each other's place count as one letter and a
// missing end counts half (first of equals); empty when `names` is empty.
std::string nearest_name(std::string_view given, std::span<const std::string> names);

}  // namespace leco
