#include "optim/block_quantization.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace leco {

using torch::Tensor;

int64_t block_count(int64_t numbers) {
  return (numbers + kQuantizationBlock - 1) / kQuantizationBlock;
}

Tensor dynamic_map(bool is_signed) {
  constexpr int kExponents = 7;
  std::vector<double> values = {0, 1};
  for (int exponent = 0; exponent < kExponents; ++exponent) {
    const int64_t fractions = int64_t{1} << (is_signed ? exponent : exponent + 1);
    const Tensor borders = at::linspace(0.1, 1, fractions + 1, torch::kFloat32);
    const Tensor middles = (borders.narrow(0, 0, fractions) + borders.narrow(0, 1, fractions)) / 2;
    const double scale = std::pow(10, exponent - (kExponents - 1));
    for (int64_t i = 0; i < fractions; ++i) {
      const double value = scale * middles[i].item<double>();
      values.push_back(value);
      if (is_signed) values.push_back(-value);
    }
  }
  std::ranges::sort(values);
  return at::tensor(values, torch::kFloat32);
}

BlockQuantizer::BlockQuantizer(bool is_signed, torch::Device device) : is_signed_(is_signed) {
  const Tensor map = dynamic_map(is_signed);
  zero_ = (map < 0).sum().item<int64_t>();
  midpoints_ = ((map.narrow(0, 0, 255) + map.narrow(0, 1, 255)) * 0.5).to(device);
  map_ = map.to(device);
}

BlockQuantizer::Stored BlockQuantizer::quantize(const Tensor& values) const {
  const int64_t count = values.numel(), blocks = block_count(count);
  const Tensor padded = at::constant_pad_nd(values, {0, blocks * kQuantizationBlock - count});
  const Tensor rows = padded.view({blocks, kQuantizationBlock});
  const Tensor scales = rows.abs().amax(1);
  const Tensor shares = rows.div(scales.unsqueeze(1)).nan_to_num_(0);  // a block of zeros has scale 0
  Tensor codes = at::bucketize(shares, midpoints_, /*out_int32=*/true);
  if (is_signed_) codes.sub_(codes.eq(zero_).logical_and_(shares.lt(0)).to(torch::kInt32));
  return {codes.view(-1).narrow(0, 0, count).to(torch::kUInt8), scales};
}

Tensor BlockQuantizer::restore(const Tensor& codes, const Tensor& scales) const {
  const int64_t count = codes.numel();
  const Tensor values = map_.index_select(0, codes.to(torch::kInt32));
  return values.mul_(scales.repeat_interleave(kQuantizationBlock).narrow(0, 0, count));
}

}  // namespace leco
