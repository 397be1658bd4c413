#include "core/version.h"

namespace leco {

const char* const kVersion = LECO_VERSION;

}  // namespace leco
