// Rows of the flag table: the model, the prompts and rollout, the LoRA.
#include "launcher/flags/flag_groups.h"
#include "launcher/flags/network_args.h"

namespace leco {
namespace {

constexpr int64_t kWidestLayer =
    16384;  // no layer of an SD model is wider, so no rank above it can be of use

void add_source_flags(TrainSettings& settings, std::vector<Flag>& table) {
  FlagGroup group(table, "Model");
  group.works_aside(
      "pretrained_model_name_or_path", text_form(settings.pretrained_model_name_or_path, "PATH"),
      "required: the model to train on, SD 1.x, SD 2.x or SDXL (told from its weights): a "
      "Diffusers folder, a single .safetensors or .ckpt file, or a hub id such as org/name that "
      "lies in the local Hugging Face cache");
  group.works("v2", switch_form(settings.v2), "checks that the model is of Stable Diffusion 2.x");
  group.works(
      "v_parameterization", switch_form(settings.v_parameterization),
      "checks that the model predicts v; decides where the model's files do not say what it predicts");
  group.works(
      "clip_skip", integer_form(settings.clip_skip, {.lowest = 1}, "none"),
      "takes the text encoder's N-th layer from the end: 1 the last, 2 the one before; SD 1.x and 2.x");
  group.works("max_token_length", integer_choice_form(settings.max_token_length, {75, 150, 225}),
              "prompt tokens that are read, in chunks of 75; longer prompts are cut");
  group.works_aside(
      "tokenizer_cache_dir", text_form(settings.tokenizer_cache_dir, "DIR"),
      "a folder of tokenizers as sd-scripts fills it, for single files; without it they take the "
      "built-in one, and a Diffusers folder always its own");
  group.works_aside("vae", text_form(settings.preview.vae, "PATH"),
                    "another VAE for preview images; training itself needs none");
}

void add_leco_flags(TrainSettings& settings, std::vector<Flag>& table) {
  FlagGroup group(table, "Prompts and rollout");
  group.works_aside("prompts_file", text_form(settings.prompts_file, "FILE"),
                    "required: the pairs or sliders to train; TOML, or YAML of LECO, sliders or ai-toolkit");
  group.works("max_denoising_steps", integer_form(settings.max_denoising_steps, {2, 1000}),
              "K, the sampler's steps; each rollout runs 1 to K-1 of them, drawn anew each step");
  group.works(
      "leco_denoise_guidance_scale", number_form(settings.leco_denoise_guidance_scale, {}),
      "guidance of the rollout; not to be confused with guidance_scale in the prompt file, which sets how "
      "far the effect goes");
  group.works(
      "rollout_length",
      choice_form(settings.rollout_length, {{"shared", RolloutLength::kShared},
                                            {"independent", RolloutLength::kIndependent},
                                            {"antithetic", RolloutLength::kAntithetic}}),
      "the drawn length k: one for all items of a step, one for each item, or k and K-k for items in twos");
  group.works("rollout_sampler", choice_form(settings.rollout_sampler, sampler_names()),
              "the rollout's sampler; ddpm and euler_a add noise of their own at each step");
  group.works("samples_per_rollout", integer_form(settings.samples_per_rollout, {1, 1000}),
              "points of each rollout, evenly spaced, that are trained at; the item's loss is their mean");
  group.works(
      "align_timestep", switch_form(settings.align_timestep),
      "conditions on the noise level at which the rollout ends, instead of the one a little above that "
      "LECO trainers take");
}

}  // namespace

void add_model_flags(TrainSettings& settings, std::vector<Flag>& table) {
  add_source_flags(settings, table);
  add_leco_flags(settings, table);

  FlagGroup group(table, "LoRA");
  group.works("network_module", only_form(ValueKind::kText, "networks.lora"),
              "the kind of network; LoRA is the only one");
  group.works("network_dim", integer_form(settings.network_dim, {1, kWidestLayer}),
              "the rank; 4 to 16 is usual, higher means more freedom and a larger file");
  group.works("network_alpha", number_form(settings.network_alpha, {.lowest = 0}),
              "the LoRA is scaled by alpha / rank; half the rank is usual; 0 takes the rank");
  group.works("network_dropout", number_form(settings.network_dropout, {.lowest = 0, .below = 1}),
              "the share of lora_down's outputs that the trained prediction drops");
  group.works_aside("network_weights", text_form(settings.network_weights, "FILE"),
                    "a LoRA file (.safetensors, or torch's .pt and .ckpt) to start from; it must have this "
                    "run's modules, ranks "
                    "and alphas, or dim_from_weights takes them from it");
  group.works("network_train_unet_only",
              always_on_form("LECO compares predictions of the U-Net, so only the U-Net is ever trained"),
              "always so: LECO trains the U-Net alone");
  group.refused(
      "network_train_text_encoder_only", unbound_form(ValueKind::kSwitch),
      "LECO compares predictions of the U-Net, so the text encoder cannot be trained; leave the flag out");
  group.works("dim_from_weights", switch_form(settings.dim_from_weights),
              "takes the modules, their ranks and alphas from network_weights");
  group.works(
      "network_args", network_args_form(settings),
      "further settings of the network, explained in docs/lora.md: dropout, rank_dropout, module_dropout, "
      "conv_dim, conv_alpha, block_dims, block_alphas, conv_block_dims, conv_block_alphas, "
      "down_lr_weight, mid_lr_weight, up_lr_weight, block_lr_zero_threshold, loraplus_lr_ratio, "
      "loraplus_unet_lr_ratio, train_method");
}

}  // namespace leco
