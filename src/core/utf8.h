// Text from files that is to be shown and written again.
#pragma once

#include <string_view>

namespace leco {

// As RFC 3629 has it: no overlong forms, no surrogates, nothing above U+10FFFF.
bool is_utf8(std::string_view text);

}  // namespace leco
