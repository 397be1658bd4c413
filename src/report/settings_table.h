// Names and values, aligned in two columns.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace leco {

std::string aligned_table(const std::vector<std::pair<std::string, std::string>>& rows);

}  // namespace leco
