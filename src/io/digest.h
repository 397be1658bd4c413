// SHA-256, in hexadecimal.
#pragma once

#include <string>
#include <string_view>

namespace leco {

std::string sha256(std::string_view bytes);
std::string sha256_of_file(const std::string& path);

}  // namespace leco
