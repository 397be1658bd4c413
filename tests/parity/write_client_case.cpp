// What our U-Net makes of a LoRA file, for real_client.py to compare with diffusers.
//
// usage: write_client_case MODEL LORA OURS
// Writes latents, timesteps, embeddings and output_<scale> at scales −1, 0, 0.5 and 1.
#include <ATen/Parallel.h>

#include <cstdio>

#include "core/philox.h"
#include "io/safetensors.h"
#include "lora/lora_file.h"
#include "tests/support/toy_model.h"
#include "train/model_folder.h"

namespace leco {
namespace {

using torch::Tensor;

// Rank and alpha of the file's first module; all of ours are alike.
LoraNetwork::Shape shape_of(const std::string& path) {
  const SafetensorsFile file(path);
  LoraNetwork::Shape shape;
  for (const TensorInfo& info : file.header().tensors) {
    if (info.name.ends_with(".lora_down.weight")) shape.rank = info.shape[0];
    if (info.name.ends_with(".alpha")) shape.alpha = file.tensor(info).to(torch::kFloat64).item<double>();
  }
  return shape;
}

Tensor latents(int64_t samples) {
  Tensor filled = at::empty({samples, 4, 12, 16}, torch::kFloat32);
  Draws(7, {.purpose = Purpose::kInitialLatents})
      .fill_normal({filled.data_ptr<float>(), static_cast<size_t>(filled.numel())});
  return filled;
}

void write_case(const std::string& model, const std::string& lora, const std::string& ours) {
  const torch::NoGradGuard no_gradient;
  LocalFileSource files;
  const auto unet = ModelFolder(files, model).load_unet({});
  const std::vector<std::string> prompts = {"a small blue square", "circle", ""};
  const PromptEmbeddings encoded = encode_prompts(files, model, prompts, torch::kCPU);
  const Tensor text = at::stack({encoded.at(prompts[0]), encoded.at(prompts[1]), encoded.at(prompts[2])});
  LoraNetwork network(*unet, shape_of(lora), 0);
  load_lora(network, files.open_safetensors(lora));

  const Tensor x = latents(std::ssize(prompts)), timesteps = at::tensor({999, 500, 20}, torch::kInt64);
  NamedTensors tensors = {{"latents", x}, {"timesteps", timesteps}, {"embeddings", text}};
  for (const auto& [name, scale] : {std::pair{"-1", -1.0}, {"0", 0.0}, {"0.5", 0.5}, {"1", 1.0}})
    tensors.emplace_back(std::string("output_") + name,
                         predict(*unet, x, timesteps, text, adapters_on({scale}, torch::kCPU)));
  write_safetensors(ours, tensors, {});
}

}  // namespace
}  // namespace leco

int main(int argc, char** argv) {
  if (argc != 4) return std::fprintf(stderr, "usage: write_client_case MODEL LORA OURS\n"), 2;
  at::set_num_threads(1);
  try {
    leco::write_case(argv[1], argv[2], argv[3]);
  } catch (const std::exception& error) {
    return std::fprintf(stderr, "write_client_case: %s\n", error.what()), 1;
  }
}
