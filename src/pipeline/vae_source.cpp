#include "pipeline/vae_source.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/error.h"
#include "io/component_files.h"
#include "io/weight_kind.h"
#include "model/ldm_vae.h"

namespace leco {
namespace {

// Of a file with other things in it: the decoder. The encoder, the discriminator and averaged copies that
// trainings leave beside it are not needed to draw.
bool is_decoder(std::string_view name) {
  return name.starts_with("decoder.") || name.starts_with("post_quant_conv.");
}

}  // namespace

VaeSource open_vae_folder(FileSource& files, const std::string& folder, Contents contents) {
  const std::string config = folder + "/config.json";
  VaeSource vae{parse_vae_config(files.read(config), config),
                open_component(files, find_component(files, folder, "diffusion_pytorch_model"), contents)};
  vae.weights.keep([](const std::string& name) { return !belongs_to_vae_encoder(name); });
  return vae;
}

VaeSource open_vae_file(FileSource& files, const std::string& path, Family family, Contents contents) {
  StateDict file = files.open(path, contents);
  const std::vector<std::string> names = file.left();
  const bool is_whole =
      std::ranges::any_of(names, [](const std::string& name) { return name.starts_with(kLdmVaePrefix); });
  const std::string prefix(is_whole ? kLdmVaePrefix : "");
  file.keep([&](const std::string& name) {
    return name.starts_with(prefix) && is_decoder(std::string_view(name).substr(prefix.size()));
  });
  if (file.left().empty()) {
    const std::string kind = recognise_weights(names);
    throw_usage(fmt::format("'{}' holds no VAE; it is {}", path,
                            kind.empty() ? fmt::format("a file of {} tensors", names.size()) : kind));
  }
  if (file.contains(prefix + "decoder.mid.block_1.conv1.weight")) {
    // Stability's are convolutions of one pixel; converters also write matrices.
    const TensorInfo* query = file.find(prefix + "decoder.mid.attn_1.q.weight");
    const bool has_kernels = query != nullptr && query->shape.size() == 4;
    file.spell([prefix, has_kernels](const std::string& name) {
      const bool is_projection =
          name.find(".attentions.0.to_") != std::string::npos && name.ends_with(".weight");
      return StoredAs{.name = prefix + ldm_vae_name(name), .convolution = has_kernels && is_projection};
    });
  }
  VaeConfig config = read_vae_shapes(file);
  if (family == Family::kSdxl) {
    config.scaling_factor = VaeConfig::kSdxlScalingFactor;
    config.sample_size = VaeConfig::kSdxlSampleSize;
  }
  return {config, std::move(file)};
}

VaeSource open_vae(FileSource& files, const std::string& path, Family family, Contents contents) {
  if (!files.exists(path)) {
    throw_usage(
        fmt::format("--vae: no such VAE: '{}' (a Diffusers folder, a .safetensors or a .ckpt file)", path));
  }
  if (!files.is_folder(path)) return open_vae_file(files, path, family, contents);
  for (const std::string& folder : {path + "/vae", path})
    if (files.exists(folder + "/config.json")) return open_vae_folder(files, folder, contents);
  throw_usage(
      fmt::format("--vae: '{}' is no folder of a VAE: it has neither config.json nor vae/config.json", path));
}

}  // namespace leco
