#include "report/settings_table.h"

#include <fmt/format.h>

#include <algorithm>

namespace leco {

std::string aligned_table(const std::vector<std::pair<std::string, std::string>>& rows) {
  size_t width = 0;
  for (const auto& [name, value] : rows) width = std::max(width, name.size());
  std::string table;
  for (const auto& [name, value] : rows)
    table += fmt::format("\n  {:<{}}  {}", name, width, value.empty() ? "–" : value);
  return table;
}

}  // namespace leco
