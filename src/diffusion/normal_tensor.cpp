#include "diffusion/normal_tensor.h"

namespace leco {

torch::Tensor normal_tensor(at::IntArrayRef shape, uint64_t seed, const Draws::Use& use) {
  torch::Tensor numbers = at::empty(shape, torch::kFloat32);
  Draws(seed, use).fill_normal({numbers.data_ptr<float>(), static_cast<size_t>(numbers.numel())});
  return numbers;
}

}  // namespace leco
