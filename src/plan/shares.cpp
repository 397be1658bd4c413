#include "plan/shares.h"

#include <algorithm>
#include <functional>
#include <numeric>
#include <queue>
#include <utility>

namespace leco {

std::vector<std::vector<int64_t>> share_out(const std::vector<double>& costs, int ranks) {
  std::vector<int64_t> order(costs.size());
  std::iota(order.begin(), order.end(), int64_t{0});
  std::ranges::stable_sort(order, std::greater<>{}, [&](int64_t pack) { return costs[pack]; });
  std::vector<std::vector<int64_t>> shares(ranks);
  using Load = std::pair<double, int>;  // of a rank; equal ones go by the rank
  std::priority_queue<Load, std::vector<Load>, std::greater<>> least;
  for (int rank = 0; rank < ranks; ++rank) least.emplace(0.0, rank);
  for (const int64_t pack : order) {
    const auto [load, rank] = least.top();
    least.pop();
    shares[rank].push_back(pack);
    least.emplace(load + costs[pack], rank);
  }
  for (auto& share : shares) std::ranges::sort(share);
  return shares;
}

double greatest_load(const std::vector<double>& costs, const std::vector<std::vector<int64_t>>& shares) {
  double greatest = 0;
  for (const auto& share : shares) {
    double load = 0;
    for (const int64_t pack : share) load += costs[pack];
    greatest = std::max(greatest, load);
  }
  return greatest;
}

double efficiency(const std::vector<double>& costs, const std::vector<std::vector<int64_t>>& shares) {
  const double total = std::accumulate(costs.begin(), costs.end(), 0.0);
  const double greatest = greatest_load(costs, shares);
  return greatest == 0 ? 1.0 : total / (greatest * static_cast<double>(shares.size()));
}

}  // namespace leco
