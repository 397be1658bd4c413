// What people have under the name of a model file that is none.
#pragma once

#include <string_view>

namespace leco {

// What the first bytes of a file show and what to do, to end the sentence "… is no safetensors file but".
// Empty when nothing is recognised.
std::string_view recognise_foreign_file(std::string_view head);

}  // namespace leco
