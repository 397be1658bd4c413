#include "lora/dropout_masks.h"

#include "core/philox.h"
#include "model/to_device.h"

namespace leco {
namespace {

constexpr int64_t kNeuronKind = 0;
constexpr int64_t kModulesApart = 2048;  // between a module at one point of a rollout and at the next

}  // namespace

torch::Tensor DropoutMasks::neuron(int64_t module, int64_t rows, int64_t rank, bool convolution) const {
  const int64_t tokens = rows / (items() * draw_.samples);
  torch::Tensor mask = at::empty({items(), draw_.samples * tokens * rank}, torch::kFloat32);
  std::vector<double> uniform(draw_.samples * tokens * rank);
  for (int64_t i = 0; i < items(); ++i) {
    const Draws draws(draw_.seed, {.purpose = Purpose::kDropout,
                                   .step = draw_.step,
                                   .item = draw_.items[i],
                                   .sub = 4 * (module + kModulesApart * draw_.point) + kNeuronKind});
    draws.fill_uniform(uniform);
    float* out = mask[i].data_ptr<float>();
    for (size_t j = 0; j < uniform.size(); ++j)
      out[j] = uniform[j] < draw_.neuron ? 0.0f : static_cast<float>(1.0 / (1.0 - draw_.neuron));
  }
  if (convolution) mask = mask.view({items() * draw_.samples, rank, tokens}).transpose(1, 2);
  return to_device(mask.reshape({rows, rank}), device_);
}

}  // namespace leco
