// Whether all ranks still hold the same LoRA. The exact merge keeps them equal; what makes them differ is a
// fault of a machine, and a run that goes on with it trains something that nobody asked for.
#pragma once

#include <torch/types.h>

#include "comm/communicator.h"

namespace leco {

// Of the weights' bits and their order, an integer below 2⁵³. weights (n), float32.
double replica_checksum(const torch::Tensor& weights);

// Throws on every rank when the checksums differ, naming the ranks that are not with the majority.
// Collective.
void check_replicas(Communicator& comm, const torch::Tensor& weights, int64_t finished_steps);

}  // namespace leco
