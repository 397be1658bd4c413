// What a file of weights is, told by the names in it.
#pragma once

#include <span>
#include <string>

namespace leco {

// "a U-Net in Diffusers' layout", "a LoHa (LyCORIS)", … Empty when nothing is recognised.
std::string recognise_weights(std::span<const std::string> names);

}  // namespace leco
