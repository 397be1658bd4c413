#include "model/unet.h"

#include "core/error.h"
#include "model/to_device.h"

namespace leco {

using torch::Tensor;

UNet::UNet(const UNetConfig& config, StateDict& weights, Placement placement)
    : config_(config),
      placement_(placement),
      time_waves_(config.block_out_channels[0], placement.device),
      time_embedding_({weights, placement, "time_embedding"}, config.block_out_channels[0],
                      config.time_features()),
      conv_in_(
          load_conv({weights, placement, "conv_in"}, config.in_channels, config.block_out_channels[0], 3)),
      mid_block_({weights, placement, "mid_block"}, config),
      conv_norm_out_({weights, placement, "conv_norm_out"}, config.block_out_channels[0],
                     config.norm_num_groups, config.norm_eps),
      conv_out_(
          load_conv({weights, placement, "conv_out"}, config.block_out_channels[0], config.out_channels, 3)) {
  if (const auto& added = config.added_embedding) {
    size_waves_.emplace(added->size_features, placement.device);
    added_embedding_.emplace(WeightScope(weights, placement, "add_embedding"), added->input_features,
                             config.time_features());
  }
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

// Each prompt's pooled text and the sinusoids of its six sizes, through the added layers: (P, time_features).
Tensor UNet::embed_added(const AddedConditioning& added) const {
  const int64_t prompts = added.pooled.size(0);
  LECO_ASSERT(added.pooled.size(1) == config_.added_embedding->pooled_features());
  LECO_ASSERT(added.sizes.size(0) == prompts && added.sizes.size(1) == AddedEmbeddingConfig::kSizes);
  const Tensor sizes = (*size_waves_)(added.sizes.flatten()).view({prompts, -1});
  return (*added_embedding_)(
      at::cat({to_device(added.pooled, placement_.device), sizes}, 1).to(placement_.dtype));
}

TimeFeatures UNet::embed_time(const Tensor& timesteps, const AddedConditioning* added) const {
  LECO_ASSERT((added != nullptr) == config_.added_embedding.has_value());
  Tensor embedded = time_embedding_(time_waves_(timesteps).to(placement_.dtype));
  if (added) embedded = (embedded.unsqueeze(1) + embed_added(*added)).flatten(0, 1);
  TimeFeatures features{.embedded = at::silu(embedded), .projected = {}};
  for_each_level([&](const Level& level) {
    for (const Resnet& resnet : level.resnets)
      features.projected.push_back(resnet.project_time(features.embedded));
  });
  return features;
}

TextFeatures UNet::project_text(const Tensor& text, const AdapterPass& pass) const {
  TextFeatures features;
  const Tensor in_dtype = text.to(placement_.dtype);
  for_each_level([&](const Level& level) {
    for (const Transformer& attention : level.attentions)
      features.push_back(attention.project_text(in_dtype, pass));
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

std::vector<AdaptedLayer*> UNet::layers() {
  std::vector<AdaptedLayer*> layers;
  for (DownBlock& block : down_blocks_) block.list(layers);  // named_modules() has the middle block last
  for (UpBlock& block : up_blocks_) block.list(layers);
  mid_block_.list(layers);
  return layers;
}

void UNet::forget_layouts() {
  conv_in_.forget_layout();
  conv_out_.forget_layout();
  for (const AdaptedLayer* layer : layers()) layer->forget_layout();
}

TimeFeatures map_rows(const TimeFeatures& features, const std::function<Tensor(const Tensor& rows)>& map) {
  TimeFeatures mapped{.embedded = map(features.embedded), .projected = {}};
  for (const Tensor& rows : features.projected) mapped.projected.push_back(map(rows));
  return mapped;
}

TimeFeatures time_row(const TimeFeatures& features, int64_t index) {
  return map_rows(features, [&](const Tensor& rows) { return rows.narrow(0, index, 1); });
}

TimeFeatures join_rows(const std::vector<TimeFeatures>& features) {
  if (features.size() == 1) return features.front();
  const auto joined = [&](const auto& rows_of) {
    std::vector<Tensor> rows;
    for (const TimeFeatures& part : features) rows.push_back(rows_of(part));
    return at::cat(rows);
  };
  TimeFeatures all{.embedded = joined([](const TimeFeatures& part) { return part.embedded; }),
                   .projected = {}};
  for (size_t i = 0; i < features.front().projected.size(); ++i)
    all.projected.push_back(joined([i](const TimeFeatures& part) { return part.projected[i]; }));
  return all;
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
  return map_rows(features, [&](const Tensor& rows) { return rows.repeat_interleave(copies, 0); });
}

}  // namespace leco
