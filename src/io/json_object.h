// JSON out of model folders, which come from anywhere.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace leco {

// Throws a usage error that names `origin` where `text` is no JSON object, is larger than 64 MiB, or is
// nested deeper than 32: nlohmann's json prints and compares what it holds by recursion.
nlohmann::json parse_json_object(std::string_view text, const std::string& origin);

// A value as a message of one line quotes it: at most some 200 bytes.
std::string shown(const nlohmann::json& value);

}  // namespace leco
