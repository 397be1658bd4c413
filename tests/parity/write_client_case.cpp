// What our U-Net makes of a model and a LoRA file, for Python to compare with diffusers.
//
// usage: write_client_case MODEL LORA OURS [--v2] [--v_parameterization] [--vae=PATH]
// Writes latents, timesteps, embeddings, for SDXL pooled and time_ids, and output_<scale> at scales −1, 0,
// 0.5 and 1. Without a LoRA ("-"): output_0, and odd_latents with odd_output_0 of a size that no level
// divides; and picture, decoded of the first of these, by the VAE at PATH or the model's own.
#include <ATen/Parallel.h>

#include <algorithm>
#include <cstdio>
#include <optional>
#include <span>

#include "core/philox.h"
#include "io/safetensors.h"
#include "lora/lora_file.h"
#include "pipeline/base_model.h"
#include "text/prompt_embeddings.h"

namespace leco {
namespace {

using torch::Tensor;

Tensor latents(int64_t samples, int64_t height = 12, int64_t width = 16) {
  Tensor filled = at::empty({samples, 4, height, width}, torch::kFloat32);
  Draws(7, {.purpose = Purpose::kInitialLatents})
      .fill_normal({filled.data_ptr<float>(), static_cast<size_t>(filled.numel())});
  return filled;
}

TextSettings text_settings(Family family) {
  using enum TextSettings::Kind;
  return {.kind = family == Family::kSdxl ? kSdxl : family == Family::kSd2 ? kSd2 : kSd1};
}

// What one call is given, sample by sample.
struct Inputs {
  Tensor latents, timesteps, embeddings;
  std::optional<AddedConditioning> added;
};

Inputs make_inputs(const BaseModel& model) {
  const std::vector<std::string> prompts = {"a small blue square", "circle", ""};
  const PromptEmbeddings encoded =
      encode_prompts(model.open_text_encoders(), text_settings(model.family()), prompts, torch::kCPU);
  std::vector<Tensor> contexts, pooled;
  for (const std::string& prompt : prompts) {
    contexts.push_back(encoded.at(prompt).context);
    pooled.push_back(encoded.at(prompt).pooled);
  }
  Inputs inputs{
      latents(std::ssize(prompts)), at::tensor({999, 500, 20}, torch::kInt64), at::stack(contexts), {}};
  if (model.family() == Family::kSdxl)
    inputs.added = {at::stack(pooled),
                    at::tensor({96, 128, 0, 0, 96, 128, 200, 150, 40, 8, 96, 128, 96, 128, 0, 0, 96, 128},
                               torch::kFloat32)
                        .view({3, 6})};
  return inputs;
}

// Each sample has a timestep, prompt and size of its own.
TimeFeatures embed_time(const UNet& unet, const Inputs& inputs) {
  if (!inputs.added) return unet.embed_time(inputs.timesteps);
  std::vector<TimeFeatures> rows;
  for (int64_t i = 0; i < inputs.timesteps.size(0); ++i) {
    const AddedConditioning own{inputs.added->pooled.narrow(0, i, 1), inputs.added->sizes.narrow(0, i, 1)};
    rows.push_back(unet.embed_time(inputs.timesteps.narrow(0, i, 1), &own));
  }
  return join_rows(rows);
}

struct Case {
  std::string model, lora, ours;
  ModelClaims claims;
  std::string vae;
};

Tensor output(const UNet& unet, const Inputs& inputs, const Tensor& latents, double scale) {
  const AdapterPass pass = adapters_on({scale}, torch::kCPU);
  return unet(latents, embed_time(unet, inputs), unet.project_text(inputs.embeddings, pass), pass);
}

void write_case(const Case& given) {
  const torch::NoGradGuard no_gradient;
  LocalFileSource files;
  const auto model = open_base_model(files, given.model, given.claims);
  const auto unet = model->load_unet({});
  const Inputs inputs = make_inputs(*model);
  NamedTensors tensors = {
      {"latents", inputs.latents}, {"timesteps", inputs.timesteps}, {"embeddings", inputs.embeddings}};
  if (inputs.added) {
    tensors.emplace_back("pooled", inputs.added->pooled);
    tensors.emplace_back("time_ids", inputs.added->sizes);
  }
  if (given.lora == "-") {
    const Tensor odd = latents(inputs.latents.size(0), 9, 13);
    tensors.emplace_back("odd_latents", odd);
    tensors.emplace_back("output_0", output(*unet, inputs, inputs.latents, 0));
    tensors.emplace_back("odd_output_0", output(*unet, inputs, odd, 0));
    if (model->has_vae() || !given.vae.empty())
      tensors.emplace_back("picture", model->load_vae(torch::kCPU, given.vae)->decode(odd.narrow(0, 0, 1)));
  } else {
    LoraNetwork network(*unet, layers_of_file(*unet, files.open_safetensors(given.lora), {}), 0);
    load_lora(network, files.open_safetensors(given.lora));
    for (const auto& [name, scale] : {std::pair{"-1", -1.0}, {"0", 0.0}, {"0.5", 0.5}, {"1", 1.0}})
      tensors.emplace_back(std::string("output_") + name, output(*unet, inputs, inputs.latents, scale));
  }
  write_safetensors(given.ours, tensors, {});
}

}  // namespace
}  // namespace leco

int main(int argc, char** argv) {
  const std::span<char*> words(argv, argc);
  if (argc < 4) return std::fprintf(stderr, "usage: write_client_case MODEL LORA OURS [FLAG…]\n"), 2;
  const auto is_given = [&](std::string_view flag) {
    return std::ranges::any_of(words, [&](const char* word) { return word == flag; });
  };
  constexpr std::string_view kVae = "--vae=";
  const auto vae = std::ranges::find_if(words, [&](std::string_view word) { return word.starts_with(kVae); });
  at::set_num_threads(1);
  try {
    leco::write_case({words[1],
                      words[2],
                      words[3],
                      {.v2 = is_given("--v2"), .v_parameterization = is_given("--v_parameterization")},
                      vae == words.end() ? "" : std::string(*vae).substr(kVae.size())});
  } catch (const std::exception& error) {
    return std::fprintf(stderr, "write_client_case: %s\n", error.what()), 1;
  }
}
