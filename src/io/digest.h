// SHA-256, in lower-case hexadecimal.
#pragma once

#include <string>
#include <string_view>

namespace leco {

std::string sha256(std::string_view bytes);

// Reads the file in pieces, so that its size does not matter. Throws a usage error that names the path.
std::string sha256_of_file(const std::string& path);

}  // namespace leco
