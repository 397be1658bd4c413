// Names and values, aligned in two columns, each row on a line of its own after the text it is appended to;
// an empty value shows as a dash.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace leco {

std::string aligned_table(const std::vector<std::pair<std::string, std::string>>& rows);

}  // namespace leco
