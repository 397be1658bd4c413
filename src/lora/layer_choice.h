// Which layers of a U-Net get a LoRA module, with which rank, alpha and share of the learning rate.
#pragma once

#include <vector>

#include "config/network_args.h"
#include "io/state_dict.h"
#include "model/unet.h"

namespace leco {

struct ChosenLayer {
  AdaptedLayer* layer;
  int64_t rank = 4;
  double alpha = 1.0;
  double down_rate = 1.0, up_rate = 1.0;  // factors of the learning rate; 0: is kept as it is
};

struct LoraShape {
  int64_t rank = 4;    // --network_dim
  double alpha = 1.0;  // --network_alpha; 0 means the rank
  NetworkArgs args = {};
};

// Linear layers and 1×1 convolutions of the transformers, with conv_dim also the layers of resnets and
// samplers, less what train_method, ranks of 0 and block weights take away; in the order of Diffusers'
// named_modules(). Usage error where a list's length is not the family's number of blocks, or where nothing
// is left.
std::vector<ChosenLayer> choose_layers(UNet& unet, const LoraShape& shape);

// --dim_from_weights: the modules of a LoRA file with their ranks and alphas. A block's weight of 0 keeps its
// modules as the file has them. Usage error where the file has none of this U-Net's.
std::vector<ChosenLayer> layers_of_file(UNet& unet, StateDict file, const NetworkArgs& args);

// What lists of block weights say that is shorter than the U-Net, a line each.
std::vector<std::string> block_weight_notices(const NetworkArgs& args, Family family);

// Number of a layer's block among all of them, as sd-scripts counts (config/network_args.h).
int64_t block_index(const std::string& layer, const UNetConfig& unet);

}  // namespace leco
