#include "core/nearest_name.h"

#include <algorithm>
#include <numeric>
#include <utility>
#include <vector>

namespace leco {
namespace {

// The distance of optimal string alignment in half letters, one row at a time: Levenshtein's, and two letters
// in each other's place are one edit. What the name has behind all that was given costs half, so that a
// beginning finds the whole.
size_t distance(std::string_view given, std::string_view name) {
  std::vector<size_t> row(name.size() + 1);  // of what was given so far to each beginning of the name
  std::iota(row.begin(), row.end(), size_t{0});
  std::vector<size_t> before = row, before_that = row;  // the same with one and with two letters less given
  for (size_t i = 0; i < given.size(); ++i) {
    std::swap(before_that, before);
    std::swap(before, row);
    row[0] = i + 1;
    for (size_t j = 0; j < name.size(); ++j) {
      row[j + 1] = std::min({row[j] + 1, before[j + 1] + 1, before[j] + (given[i] != name[j])});
      if (i > 0 && j > 0 && given[i] == name[j - 1] && given[i - 1] == name[j])
        row[j + 1] = std::min(row[j + 1], before_that[j - 1] + 1);
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
