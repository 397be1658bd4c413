// Sharing out packs over ranks by cost.
#pragma once

#include <cstdint>
#include <vector>

namespace leco {

// Longest processing time first (Graham 1969): costliest pack first, each to the rank with the least so far;
// equal costs by index, equal loads to the lowest rank. Returns the pack indices of each rank, ascending.
std::vector<std::vector<int64_t>> share_out(const std::vector<double>& costs, int ranks);

double greatest_load(const std::vector<double>& costs, const std::vector<std::vector<int64_t>>& shares);

// Mean load over greatest load, 1 = no rank waits.
double efficiency(const std::vector<double>& costs, const std::vector<std::vector<int64_t>>& shares);

}  // namespace leco
