// A number of things, for a person.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace leco {

std::string counted(int64_t count, std::string_view noun);  // "1 step", "2 steps"

}  // namespace leco
