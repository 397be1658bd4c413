#include "core/error.h"

namespace leco {

void throw_usage(const std::string& what) {
  throw Error(what, ExitStatus::kUsage);
}

}  // namespace leco
