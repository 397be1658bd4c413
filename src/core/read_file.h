// Small text files, read whole.
#pragma once

#include <functional>
#include <string>

namespace leco {

// Path to contents. On many ranks the function that is passed around reads on one rank and broadcasts, so
// code that takes a ReadFile must call it in the same order on every rank. It throws usage errors that name
// the path.
using ReadFile = std::function<std::string(const std::string& path)>;

// Reads from this process's file system. Throws a usage error when the path is no readable regular file.
std::string read_local_file(const std::string& path);

}  // namespace leco
