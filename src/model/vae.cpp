#include "model/vae.h"

#include "core/error.h"
#include "model/to_device.h"

namespace leco {
namespace {

using torch::Tensor;

constexpr double kNormEps = 1e-6;

Linear load_projection(const WeightScope& scope, const char* name, const char* older_name, int64_t channels) {
  const bool is_older = scope.contains(std::string(older_name) + ".weight");
  return {scope / (is_older ? older_name : name), {.in = channels, .out = channels}};
}

// Fades from the end of `before` into the start of `after`, in place, over `extent` places along `axis`.
void blend_seam(const Tensor& before, Tensor& after, int64_t axis, int64_t extent) {
  extent = std::min({extent, before.size(axis), after.size(axis)});
  std::vector<int64_t> shape(4, 1);
  shape[axis] = extent;
  const Tensor share = (at::arange(extent, after.options()) / extent).view(shape);  // of `after`
  Tensor start = after.narrow(axis, 0, extent);
  start.mul_(share).add_(before.narrow(axis, before.size(axis) - extent, extent) * (1 - share));
}

}  // namespace

VaeResnet::VaeResnet(const WeightScope& scope, int64_t in, int64_t out, int64_t norm_groups)
    : norm1_(scope / "norm1", in, norm_groups, kNormEps),
      conv1_(load_conv(scope / "conv1", in, out, 3)),
      norm2_(scope / "norm2", out, norm_groups, kNormEps),
      conv2_(load_conv(scope / "conv2", out, out, 3)) {
  if (in != out) conv_shortcut_ = load_conv(scope / "conv_shortcut", in, out, 1);
}

Tensor VaeResnet::operator()(const Tensor& x) const {
  Tensor h = conv1_(silu_of_temporary(norm1_(x)));
  h = conv2_(silu_of_temporary(norm2_(h)));
  return h.add_(conv_shortcut_ ? (*conv_shortcut_)(x) : x);
}

VaeAttention::VaeAttention(const WeightScope& scope, int64_t channels, int64_t norm_groups)
    : group_norm_(scope / "group_norm", channels, norm_groups, kNormEps),
      to_q_(load_projection(scope, "to_q", "query", channels)),
      to_k_(load_projection(scope, "to_k", "key", channels)),
      to_v_(load_projection(scope, "to_v", "value", channels)),
      to_out_(load_projection(scope, "to_out.0", "proj_attn", channels)) {}

Tensor VaeAttention::operator()(const Tensor& x) const {
  const int64_t batch = x.size(0), channels = x.size(1), height = x.size(2), width = x.size(3);
  const AdapterPass off = adapters_off();
  const Tensor tokens = group_norm_(x).permute({0, 2, 3, 1}).reshape({batch, 1, height * width, channels});
  const Tensor mixed =
      at::scaled_dot_product_attention(to_q_(tokens, off), to_k_(tokens, off), to_v_(tokens, off));
  return x + to_out_(mixed, off).view({batch, height, width, channels}).permute({0, 3, 1, 2});
}

Vae::Vae(const VaeConfig& config, StateDict& weights, torch::Device device)
    : config_(config),
      device_(device),
      conv_in_(load_conv({weights, {device}, "decoder.conv_in"}, VaeConfig::kLatentChannels,
                         config.block_out_channels.back(), 3)),
      mid_first_({weights, {device}, "decoder.mid_block.resnets.0"}, config.block_out_channels.back(),
                 config.block_out_channels.back(), config.norm_num_groups),
      mid_attention_({weights, {device}, "decoder.mid_block.attentions.0"}, config.block_out_channels.back(),
                     config.norm_num_groups),
      mid_last_({weights, {device}, "decoder.mid_block.resnets.1"}, config.block_out_channels.back(),
                config.block_out_channels.back(), config.norm_num_groups),
      conv_norm_out_({weights, {device}, "decoder.conv_norm_out"}, config.block_out_channels.front(),
                     config.norm_num_groups, kNormEps),
      conv_out_(load_conv({weights, {device}, "decoder.conv_out"}, config.block_out_channels.front(), 3, 3)) {
  const WeightScope whole(weights, {device});
  if (config.use_post_quant_conv)
    post_quant_conv_ =
        load_conv(whole / "post_quant_conv", VaeConfig::kLatentChannels, VaeConfig::kLatentChannels, 1);
  int64_t in = config.block_out_channels.back();
  for (size_t i = 0; i < config.levels(); ++i) {
    const WeightScope scope = whole / ("decoder.up_blocks." + std::to_string(i));
    const int64_t out = config.block_out_channels[config.levels() - 1 - i];
    UpBlock& block = up_blocks_.emplace_back();
    for (int64_t layer = 0; layer <= config.layers_per_block; ++layer) {
      block.resnets.emplace_back(scope / ("resnets." + std::to_string(layer)), in, out,
                                 config.norm_num_groups);
      in = out;
    }
    if (i + 1 < config.levels()) block.upsample = load_conv(scope / "upsamplers.0.conv", out, out, 3);
  }
}

Tensor Vae::scaled(const Tensor& latents) const {
  LECO_ASSERT(latents.dim() == 4 && latents.size(1) == VaeConfig::kLatentChannels);
  return to_device(latents.to(torch::kFloat32), device_) / config_.scaling_factor;
}

Tensor Vae::decode_scaled(const Tensor& z) const {
  const auto format = device_.is_cpu() ? at::MemoryFormat::ChannelsLast : at::MemoryFormat::Contiguous;
  Tensor h = z.contiguous(format);
  if (post_quant_conv_) h = (*post_quant_conv_)(h);
  h = mid_last_(mid_attention_(mid_first_(conv_in_(h))));
  for (const UpBlock& block : up_blocks_) {
    for (const VaeResnet& resnet : block.resnets) h = resnet(h);
    if (block.upsample) h = (*block.upsample)(at::upsample_nearest2d(h, {2 * h.size(2), 2 * h.size(3)}));
  }
  return conv_out_(silu_of_temporary(conv_norm_out_(h))).contiguous();
}

Tensor Vae::decode(const Tensor& latents) const {
  const int64_t pixels =
      latents.size(2) * latents.size(3) * VaeConfig::kPixelsPerLatent * VaeConfig::kPixelsPerLatent;
  return pixels > kMostPixelsAtOnce ? decode_in_tiles(latents) : decode_at_once(latents);
}

Tensor Vae::decode_at_once(const Tensor& latents) const {
  const torch::NoGradGuard no_gradient;
  return decode_scaled(scaled(latents));
}

Tensor Vae::decode_in_tiles(const Tensor& latents) const {
  const torch::NoGradGuard no_gradient;
  const Tensor z = scaled(latents);
  const int64_t tile = config_.sample_size / VaeConfig::kPixelsPerLatent;  // in latents
  const int64_t stride = tile * 3 / 4, overlap = config_.sample_size / 4,
                kept = config_.sample_size - overlap;
  std::vector<Tensor> rows, above;
  for (int64_t top = 0; top < z.size(2); top += stride) {
    std::vector<Tensor> tiles, row;
    for (int64_t left = 0; left < z.size(3); left += stride) {
      Tensor picture = decode_scaled(z.slice(2, top, top + tile).slice(3, left, left + tile));
      if (top > 0) blend_seam(above[tiles.size()], picture, 2, overlap);
      if (left > 0) blend_seam(tiles.back(), picture, 3, overlap);
      row.push_back(picture.slice(2, 0, kept).slice(3, 0, kept));
      tiles.push_back(picture);
    }
    rows.push_back(at::cat(row, 3));
    above = std::move(tiles);
  }
  return at::cat(rows, 2);
}

bool belongs_to_vae_encoder(const std::string& name) {
  return name.starts_with("encoder.") || name.starts_with("quant_conv.");
}

}  // namespace leco
