#include "core/read_file.h"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "core/error.h"

namespace leco {

std::string read_local_file(const std::string& path) {
  std::error_code failure;
  const auto status = std::filesystem::status(path, failure);
  if (!std::filesystem::exists(status)) throw_usage("no such file: '" + path + "'");
  if (std::filesystem::is_directory(status)) throw_usage("'" + path + "' is a folder, a file is expected");
  std::ifstream in(path, std::ios::binary);
  std::ostringstream contents;
  if (in) contents << in.rdbuf();
  if (!in) throw_usage("cannot read '" + path + "': " + std::strerror(errno));
  return std::move(contents).str();
}

}  // namespace leco
