#include "model/unet.h"

#include <cmath>

#include "model/to_device.h"

namespace leco {
namespace {

using torch::Tensor;

FrozenLinear load_linear(const WeightScope& scope, int64_t in, int64_t out) {
  return {scope.take("weight", {out, in}), scope.take("bias", {out})};
}

Tensor sinusoid_frequencies(int64_t channels, torch::Device device) {
  const int64_t half = channels / 2;
  const Tensor exponent =
      at::arange(half, torch::kFloat32) * (-std::log(10000.0)) / static_cast<double>(half);
  return exponent.exp().to(device);
}

}  // namespace

UNet::UNet(const UNetConfig& config, StateDict& weights, Placement placement)
    : config_(config),
      placement_(placement),
      frequencies_(sinusoid_frequencies(config.block_out_channels[0], placement.device)),
      time_linear_1_(load_linear({weights, placement, "time_embedding.linear_1"},
                                 config.block_out_channels[0], config.time_features())),
      time_linear_2_(load_linear({weights, placement, "time_embedding.linear_2"}, config.time_features(),
                                 config.time_features())),
      conv_in_(
          load_conv({weights, placement, "conv_in"}, config.in_channels, config.block_out_channels[0], 3)),
      mid_block_({weights, placement, "mid_block"}, config),
      conv_norm_out_({weights, placement, "conv_norm_out"}, config.block_out_channels[0],
                     config.norm_num_groups, config.norm_eps),
      conv_out_(
          load_conv({weights, placement, "conv_out"}, config.block_out_channels[0], config.out_channels, 3)) {
  for (size_t i = 0; i < config.levels(); ++i) {
    const std::string index = std::to_string(i);
    down_blocks_.emplace_back(WeightScope(weights, placement, "down_blocks." + index), config, i);
    up_blocks_.emplace_back(WeightScope(weights, placement, "up_blocks." + index), config, i);
  }
}

template <class Visit>
void UNet::for_each_level(Visit visit) const {
  for (const DownBlock& block : down_blocks_) visit(block);
  visit(mid_block_);
  for (const UpBlock& block : up_blocks_) visit(block);
}

TimeFeatures UNet::embed_time(const Tensor& timesteps) const {
  const Tensor angles =
      to_device(timesteps.to(torch::kFloat32), placement_.device).unsqueeze(1) * frequencies_;
  const Tensor waves = at::cat({angles.cos(), angles.sin()}, 1).to(placement_.dtype);
  const Tensor activated = at::silu(time_linear_2_(at::silu(time_linear_1_(waves))));
  TimeFeatures features;
  for_each_level([&](const Level& level) {
    for (const Resnet& resnet : level.resnets) features.push_back(resnet.project_time(activated));
  });
  return features;
}

TextFeatures UNet::project_text(const Tensor& text, const AdapterPass& pass) const {
  TextFeatures features;
  for_each_level([&](const Level& level) {
    for (const Transformer& attention : level.attentions)
      features.push_back(attention.project_text(text, pass));
  });
  return features;
}

Tensor UNet::operator()(const Tensor& x, const TimeFeatures& time, const TextFeatures& text,
                        const AdapterPass& pass) const {
  Conditioning given{time, text, pass};
  const auto format =
      placement_.device.is_cpu() ? at::MemoryFormat::ChannelsLast : at::MemoryFormat::Contiguous;
  Tensor h = conv_in_(x.to(placement_.dtype).contiguous(format));
  std::vector<Tensor> skips = {h};
  for (const DownBlock& block : down_blocks_) h = block(h, skips, given);
  h = mid_block_(h, given);
  for (const UpBlock& block : up_blocks_) h = block(h, skips, given);
  return conv_out_(silu_of_temporary(conv_norm_out_(h))).to(torch::kFloat32).contiguous();
}

std::vector<Linear*> UNet::transformer_linears() {
  std::vector<Linear*> linears;
  const auto list = [&](Level& level) {
    for (Transformer& attention : level.attentions) attention.list(linears);
  };
  for (DownBlock& block : down_blocks_) list(block);  // named_modules() has the middle block last
  for (UpBlock& block : up_blocks_) list(block);
  list(mid_block_);
  return linears;
}

TimeFeatures time_row(const TimeFeatures& features, int64_t index) {
  TimeFeatures row;
  for (const Tensor& rows : features) row.push_back(rows.narrow(0, index, 1));
  return row;
}

TextFeatures repeat_rows(const TextFeatures& features, int64_t copies) {
  if (copies == 1) return features;
  TextFeatures repeated;
  for (const auto& transformer : features) {
    auto& blocks = repeated.emplace_back();
    for (const auto& [keys, values] : transformer)
      blocks.push_back({keys.repeat_interleave(copies, 0), values.repeat_interleave(copies, 0)});
  }
  return repeated;
}

TimeFeatures repeat_rows(const TimeFeatures& features, int64_t copies) {
  if (copies == 1) return features;
  TimeFeatures repeated;
  for (const Tensor& rows : features) repeated.push_back(rows.repeat_interleave(copies, 0));
  return repeated;
}

}  // namespace leco
