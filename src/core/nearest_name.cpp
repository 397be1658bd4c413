#include "core/nearest_name.h"

#include <algorithm>
#include <numeric>
#include <vector>

namespace leco {
namespace {

// Levenshtein's distance in half letters, one row at a time. What the name has behind all that was given
// costs half, so that a beginning finds the whole.
size_t distance(std::string_view given, std::string_view name) {
  std::vector<size_t> row(name.size() + 1);  // of what was given so far to each beginning of the name
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 0; i < given.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i + 1;
    for (size_t j = 0; j < name.size(); ++j) {
      const size_t substituted = diagonal + (given[i] != name[j]);
      diagonal = row[j + 1];
      row[j + 1] = std::min({row[j] + 1, row[j + 1] + 1, substituted});
    }
  }
  size_t least = 2 * row[0] + name.size();
  for (size_t j = 0; j < row.size(); ++j) least = std::min(least, 2 * row[j] + (name.size() - j));
  return least;
}

}  // namespace

std::string nearest_name(std::string_view given, std::span<const std::string> names) {
  const auto nearest =
      std::ranges::min_element(names, {}, [&](const std::string& name) { return distance(given, name); });
  return nearest == names.end() ? std::string() : *nearest;
}

}  // namespace leco
