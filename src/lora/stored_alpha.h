// The alpha of a module in a LoRA file.
#pragma once

#include <string>

#include "io/state_dict.h"

namespace leco {

// Of `module` as `file` is asked for it; its rank where the file says none, as all programs take it. Usage
// error where that is not one finite number.
double take_alpha(StateDict& file, const std::string& module, int64_t rank);

}  // namespace leco
