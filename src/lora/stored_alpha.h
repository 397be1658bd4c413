// The alpha that a LoRA file gives one of its modules.
#pragma once

#include <string>

#include "io/state_dict.h"

namespace leco {

// `module` is the name that `weights` is asked by; its `rank` is the alpha where the file has none, by
// convention. A usage error names the module where the alpha is not one finite number.
double take_alpha(StateDict& weights, const std::string& module, int64_t rank);

}  // namespace leco
