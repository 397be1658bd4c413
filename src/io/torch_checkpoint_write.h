// Weights in the form of torch.save (.ckpt, .pt): a zip whose entries are stored, with a pickle of a
// dictionary of tensors and one entry a storage.
#pragma once

#include <string>

#include "io/safetensors.h"

namespace leco {

// The bytes of a file that torch.load reads with weights_only=True, and every torch since 1.6. Tensors of
// F32, F16 or BF16 are made contiguous on the CPU, each with a storage of its own. Equal input gives equal
// bytes. Throws where the file would be over 4 GiB, which such a zip cannot say.
std::string torch_checkpoint_bytes(const NamedTensors& tensors);

}  // namespace leco
