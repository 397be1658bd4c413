#include "model/unet_blocks.h"

namespace leco {
namespace {

using torch::Tensor;

std::string child(const char* kind, size_t index) {
  return std::string(kind) + "." + std::to_string(index);
}

LayerShape conv_shape(int64_t in, int64_t out, int64_t kernel, int64_t stride = 1) {
  return {.in = in, .out = out, .kernel = kernel, .stride = stride, .convolution = true};
}

Transformer load_transformer(const WeightScope& scope, const UNetConfig& config, size_t level) {
  return {scope,
          {.channels = config.block_out_channels[level],
           .heads = config.heads[level],
           .context_features = config.cross_attention_dim,
           .depth = config.transformer_depth[level],
           .norm_groups = config.norm_num_groups,
           .linear_projection = config.use_linear_projection,
           .upcast_attention = config.upcast_attention}};
}

}  // namespace

Resnet::Resnet(const WeightScope& scope, int64_t in, int64_t out, const UNetConfig& config)
    : norm1_(scope / "norm1", in, config.norm_num_groups, config.norm_eps),
      conv1_(scope / "conv1", conv_shape(in, out, 3)),
      time_emb_proj_(scope / "time_emb_proj", {.in = config.time_features(), .out = out}),
      norm2_(scope / "norm2", out, config.norm_num_groups, config.norm_eps),
      conv2_(scope / "conv2", conv_shape(out, out, 3)),
      recompute_(scope.placement().recompute_blocks) {
  if (in != out) conv_shortcut_.emplace(scope / "conv_shortcut", conv_shape(in, out, 1));
}

Tensor Resnet::operator()(const Tensor& x, const ResnetTime& time, const AdapterPass& pass) const {
  // x has other readers (skips). Through an alias the gradients of the block's own two are summed before they
  // join theirs, as they are where the block is computed again: the same order, the same bits.
  if (!recompute_) return compute(at::GradMode::is_enabled() ? at::alias(x) : x, time, pass);
  const auto block = [this, time, pass](const Tensors& inputs) { return compute(inputs[0], time, pass); };
  return recomputed(block, {x}, parameters());
}

Tensors Resnet::parameters() const {
  Tensors parameters;
  conv1_.append_parameters(parameters);
  time_emb_proj_.append_parameters(parameters);
  conv2_.append_parameters(parameters);
  if (conv_shortcut_) conv_shortcut_->append_parameters(parameters);
  return parameters;
}

Tensor Resnet::addend(const ResnetTime& time, int64_t samples, const AdapterPass& pass) const {
  if (!time_emb_proj_.adapts(pass)) return time.projected;
  Tensor of_samples = time.projected.expand({samples, -1}).clone();
  time_emb_proj_.add_delta(of_samples, time.embedded.expand({samples, -1}), pass);
  return of_samples;
}

Tensor Resnet::compute(const Tensor& x, const ResnetTime& time, const AdapterPass& pass) const {
  Tensor h = conv1_(silu_of_temporary(norm1_(x)), pass);
  h.add_(addend(time, x.size(0), pass).unsqueeze(-1).unsqueeze(-1));
  h = conv2_(silu_of_temporary(norm2_(h)), pass);
  return h.add_(conv_shortcut_ ? (*conv_shortcut_)(x, pass) : x);
}

void Resnet::list(std::vector<AdaptedLayer*>& layers) {
  layers.insert(layers.end(), {&conv1_, &time_emb_proj_, &conv2_});
  if (conv_shortcut_) layers.push_back(&*conv_shortcut_);
}

void Level::list(std::vector<AdaptedLayer*>& layers) {
  for (Transformer& attention : attentions) attention.list(layers);
  for (Resnet& resnet : resnets) resnet.list(layers);
}

Tensor Level::layer(size_t index, const Tensor& x, Conditioning& given) const {
  Tensor h = resnets[index](x, given.next_time(), given.pass);
  if (attentions.empty()) return h;
  return attentions[index](h, given.text[given.next_transformer++], given.pass);
}

DownBlock::DownBlock(const WeightScope& scope, const UNetConfig& config, size_t level) {
  const int64_t out = config.block_out_channels[level];
  for (int64_t i = 0; i < config.layers_per_block; ++i) {
    const int64_t in = i > 0 || level == 0 ? out : config.block_out_channels[level - 1];
    resnets.emplace_back(scope / child("resnets", i), in, out, config);
    if (config.down_attends[level])
      attentions.push_back(load_transformer(scope / child("attentions", i), config, level));
  }
  if (level + 1 < config.levels())
    downsample_.emplace(scope / "downsamplers.0.conv", conv_shape(out, out, 3, /*stride=*/2));
}

void DownBlock::list(std::vector<AdaptedLayer*>& layers) {
  Level::list(layers);
  if (downsample_) layers.push_back(&*downsample_);
}

Tensor DownBlock::operator()(Tensor x, std::vector<Tensor>& skips, Conditioning& given) const {
  for (size_t i = 0; i < resnets.size(); ++i) skips.push_back(x = layer(i, x, given));
  if (downsample_) skips.push_back(x = (*downsample_)(x, given.pass));
  return x;
}

MidBlock::MidBlock(const WeightScope& scope, const UNetConfig& config) {
  const size_t level = config.levels() - 1;
  const int64_t channels = config.block_out_channels[level];
  for (size_t i = 0; i < 2; ++i)
    resnets.emplace_back(scope / child("resnets", i), channels, channels, config);
  attentions.push_back(load_transformer(scope / "attentions.0", config, level));
}

Tensor MidBlock::operator()(Tensor x, Conditioning& given) const {
  x = resnets[0](x, given.next_time(), given.pass);
  x = attentions[0](x, given.text[given.next_transformer++], given.pass);
  return resnets[1](x, given.next_time(), given.pass);
}

UpBlock::UpBlock(const WeightScope& scope, const UNetConfig& config, size_t index) {
  const size_t level = config.levels() - 1 - index;
  const auto& channels = config.block_out_channels;
  const int64_t out = channels[level];
  const int64_t from_below = index == 0 ? out : channels[level + 1];
  for (int64_t i = 0; i <= config.layers_per_block; ++i) {
    const int64_t in = i == 0 ? from_below : out;
    const bool last = i == config.layers_per_block;  // its skip comes from the level above (or conv_in)
    const int64_t skip = last ? channels[level == 0 ? 0 : level - 1] : out;
    resnets.emplace_back(scope / child("resnets", i), in + skip, out, config);
    if (config.up_attends[index])
      attentions.push_back(load_transformer(scope / child("attentions", i), config, level));
  }
  if (level > 0) upsample_.emplace(scope / "upsamplers.0.conv", conv_shape(out, out, 3));
}

void UpBlock::list(std::vector<AdaptedLayer*>& layers) {
  Level::list(layers);
  if (upsample_) layers.push_back(&*upsample_);
}

Tensor UpBlock::operator()(Tensor x, std::vector<Tensor>& skips, Conditioning& given) const {
  for (size_t i = 0; i < resnets.size(); ++i) {
    x = layer(i, at::cat({x, skips.back()}, 1), given);
    skips.pop_back();
  }
  if (!upsample_) return x;
  const auto size = skips.back().sizes().slice(2);
  return (*upsample_)(at::upsample_nearest2d(x, size), given.pass);
}

}  // namespace leco
