// This machine's name, as run records, logs and claims show it.
#pragma once

#include <string>

namespace leco {

std::string host_name();  // "host" where the system knows none

}  // namespace leco
