// What a file of weights is, told by the names in it.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace leco {

// A checkpoint of Stable Diffusion with U-Net, text encoder and VAE.
inline constexpr std::string_view kWholeModel = "a whole model in one file (LDM names)";

// "a U-Net in Diffusers' layout", "a LoHa (LyCORIS)", … Empty when nothing is recognised.
std::string recognise_weights(std::span<const std::string> names);

}  // namespace leco
