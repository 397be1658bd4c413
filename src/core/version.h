// The program's version, as CMakeLists.txt has it.
#pragma once

namespace leco {

extern const char* const kVersion;

}  // namespace leco
