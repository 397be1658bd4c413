#include "lora/dropout_masks.h"

#include "core/philox.h"
#include "model/to_device.h"

namespace leco {
namespace {

constexpr int64_t kModulesApart = 2048;  // between a module at one point of a rollout and at the next
constexpr int64_t kNeuron = 0, kRank = 1, kModule = 2;  // the lowest two bits of a draw's sub

std::pair<double, float> and_scale(double p) {
  return {p, static_cast<float>(1.0 / (1.0 - p))};
}

}  // namespace

torch::Tensor DropoutMasks::draw(int64_t module, int64_t kind, int64_t count,
                                 std::pair<double, float> p_and_kept) const {
  const auto [p, kept] = p_and_kept;
  torch::Tensor mask = at::empty({items(), count}, torch::kFloat32);
  std::vector<double> uniform(count);
  for (int64_t i = 0; i < items(); ++i) {
    Draws(draw_.seed, {.purpose = Purpose::kDropout,
                       .step = draw_.step,
                       .item = draw_.items[i],
                       .sub = 4 * (module + kModulesApart * draw_.point) + kind})
        .fill_uniform(uniform);
    float* out = mask[i].data_ptr<float>();
    for (size_t j = 0; j < uniform.size(); ++j) out[j] = uniform[j] < p ? 0.0f : kept;
  }
  return mask;
}

torch::Tensor DropoutMasks::factors(int64_t module, const Output& output) const {
  const auto [tokens, rank, convolution] = output;
  torch::Tensor product;
  const auto multiply = [&](const torch::Tensor& factor) {
    product = product.defined() ? product * factor : factor;
  };
  if (draw_.neuron > 0) {
    const torch::Tensor mask = draw(module, kNeuron, draw_.samples * tokens * rank, and_scale(draw_.neuron));
    multiply(convolution ? mask.view({rows(), rank, tokens}) : mask.view({rows(), tokens, rank}));
  }
  if (draw_.rank > 0) {
    const torch::Tensor mask = draw(module, kRank, draw_.samples * rank, and_scale(draw_.rank));
    multiply(convolution ? mask.view({rows(), rank, 1}) : mask.view({rows(), 1, rank}));
  }
  if (draw_.module > 0)
    multiply(
        draw(module, kModule, 1, {draw_.module, 1.0f}).repeat_interleave(draw_.samples, 0).unsqueeze(-1));
  return to_device(product, device_);
}

}  // namespace leco
