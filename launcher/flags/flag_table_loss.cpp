// Rows of the flag table: noise and loss, precision and speed, the items of a step and the machine.
#include "launcher/flags/flag_groups.h"

namespace leco {
namespace {

constexpr int64_t kMostItems = 1'000'000;
constexpr int64_t kMostThreads = 4096;

void add_precision_flags(TrainSettings& settings, std::vector<Flag>& table) {
  FlagGroup group(table, "Precision and speed");
  group.works(
      "mixed_precision",
      choice_form(settings.mixed_precision, {{"no", MixedPrecision::kNo},
                                             {"fp16", MixedPrecision::kFloat16},
                                             {"bf16", MixedPrecision::kBFloat16}}),
      "the type of the U-Net's weights and arithmetic; no is float32, which the LoRA, the goal, the loss "
      "and the optimizer have in any case");
  group.works(
      "full_fp16", switch_form(settings.full_fp16),
      "with mixed_precision fp16 the LoRA's products and gradients are float16 too; its weights and the "
      "optimizer stay float32");
  group.works("full_bf16", switch_form(settings.full_bf16),
              "the same in bfloat16, with mixed_precision bf16");
  group.refused(
      "fp8_base", unbound_form(ValueKind::kSwitch),
      "LECO trains towards differences of the frozen model's predictions, and 8-bit weights change those; "
      "leave the flag out");
  group.works_aside(
      "gradient_checkpointing", switch_form(settings.gradient_checkpointing),
      "computes resnets and transformer blocks again in the backward pass instead of keeping what is in "
      "them: less memory, one more forward pass, the same result");
  group.works("sdpa", always_on_form("attention is PyTorch's scaled dot product in any case"),
              "always so: attention by PyTorch's scaled dot product");
  const std::string attention = "attention is PyTorch's scaled dot product, as with --sdpa";
  group.no_effect("xformers", unbound_form(ValueKind::kSwitch), attention);
  group.no_effect("mem_eff_attn", unbound_form(ValueKind::kSwitch), attention);
  const std::string compiled = "the program is compiled C++; there is no Python graph to compile";
  group.no_effect("torch_compile", unbound_form(ValueKind::kSwitch), compiled);
  group.no_effect("dynamo_backend", unbound_form(ValueKind::kText, "inductor", "NAME"), compiled);
  group.no_effect("lowram", unbound_form(ValueKind::kSwitch),
                  "weights are memory-mapped, so loading never holds a second copy");
  group.no_effect("highvram", unbound_form(ValueKind::kSwitch),
                  "it concerns the caching of image latents, and LECO has no images");
  group.no_effect("disable_mmap_load_safetensors", unbound_form(ValueKind::kSwitch),
                  "weights are always memory-mapped");
}

void add_image_flags(std::vector<Flag>& table) {
  FlagGroup group(table, "Image data sets (LECO has none)");
  group.no_effect("train_batch_size", unbound_form(ValueKind::kInteger, "1"),
                  "the batch is each pair's batch_size in the prompt file");
  const std::string no_images = "there are no images to encode or load";
  group.no_effect("cache_latents", unbound_form(ValueKind::kSwitch), no_images);
  group.no_effect("cache_latents_to_disk", unbound_form(ValueKind::kSwitch), no_images);
  const std::string once = "every distinct prompt is encoded once in any case, and the encoder is then freed";
  group.no_effect("cache_text_encoder_outputs", unbound_form(ValueKind::kSwitch), once);
  group.no_effect("cache_text_encoder_outputs_to_disk", unbound_form(ValueKind::kSwitch), once);
  group.no_effect("max_data_loader_n_workers", unbound_form(ValueKind::kInteger, "8"), no_images);
  group.no_effect("persistent_data_loader_workers", unbound_form(ValueKind::kSwitch), no_images);
}

}  // namespace

void add_loss_flags(TrainSettings& settings, std::vector<Flag>& table) {
  FlagGroup group(table, "Noise and loss");
  group.works("noise_offset", number_form(settings.noise_offset, {}),
              "adds a random shift of this size to each channel of the first latents; 0 is off");
  group.works("noise_offset_random_strength", switch_form(settings.noise_offset_random_strength),
              "draws each item's offset between 0 and noise_offset");
  group.works("zero_terminal_snr", switch_form(settings.zero_terminal_snr),
              "stretches the noise schedule so that its last level is pure noise; true in any case where the "
              "model's files say it");
  group.works("loss_type",
              choice_form(settings.loss_type, {{"l2", LossType::kL2},
                                               {"l1", LossType::kL1},
                                               {"huber", LossType::kHuber},
                                               {"smooth_l1", LossType::kSmoothL1}}),
              "what a difference d from the goal costs: d², |d|, or with c of huber_c 2c·(√(d² + c²) − c) "
              "and 2·(√(d² + c²) − c)");
  group.works("huber_schedule",
              choice_form(settings.huber_schedule, {{"snr", HuberSchedule::kSnr},
                                                    {"exponential", HuberSchedule::kExponential},
                                                    {"constant", HuberSchedule::kConstant}}),
              "how c follows the timestep: from 1 without noise to huber_c, or always huber_c");
  group.works("huber_c", number_form(settings.huber_c, {.above = 0}),
              "the difference at which huber and smooth_l1 bend from squares to absolute values");
  group.works("huber_scale", number_form(settings.huber_scale, {.above = 0}),
              "a factor of c in the exponential and constant schedules");
  group.works("min_snr_gamma", number_form(settings.min_snr_gamma, {.lowest = 0}),
              "weighs down timesteps of little noise, by min(SNR, gamma)/SNR, or /(SNR + 1) where the model "
              "predicts v; 5 is usual, 0 is off");
  group.works("debiased_estimation_loss", switch_form(settings.debiased_estimation_loss),
              "weighs timesteps by 1/sqrt(SNR), or by 1/(SNR + 1) where the model predicts v");
  group.works("scale_v_pred_loss_like_noise_pred", switch_form(settings.scale_v_pred_loss_like_noise_pred),
              "weighs the loss of a model that predicts v by SNR/(SNR + 1), as if it predicted noise");
  group.refused("v_pred_like_loss", unbound_form(ValueKind::kNumber),
                "it adds a loss against an image's own noise, and LECO has no images; leave the flag out");
  const std::string drawn = "the timestep follows from the length of the rollout; see --max_denoising_steps";
  group.refused("min_timestep", unbound_form(ValueKind::kInteger), drawn);
  group.refused("max_timestep", unbound_form(ValueKind::kInteger), drawn);
  const std::string gaussian =
      "a rollout must start from Gaussian noise; --noise_offset is the variation there is";
  group.refused("multires_noise_iterations", unbound_form(ValueKind::kInteger), gaussian);
  group.refused("multires_noise_discount", unbound_form(ValueKind::kNumber, "0.3"), gaussian);
  const std::string noised = "it perturbs images that were noised for training, and LECO has none";
  group.refused("ip_noise_gamma", unbound_form(ValueKind::kNumber), noised + "; leave the flag out");
  group.refused("ip_noise_gamma_random_strength", unbound_form(ValueKind::kSwitch),
                noised + "; leave the flag out");
  group.refused(
      "adaptive_noise_scale", unbound_form(ValueKind::kNumber),
      "it scales the noise offset by an image's latents, and LECO has no images; use --noise_offset");
  add_precision_flags(settings, table);
}

void add_machine_flags(TrainSettings& settings, std::vector<Flag>& table) {
  FlagGroup group(table, "Items of a step, ranks and the machine");
  group.works("seed", seed_form(settings.seed),
              "every random number follows from it; a random one is printed and stored");
  group.works(
      "pairs_per_step",
      integer_form(settings.pairs_per_step, {1, kMostItems}, "gradient_accumulation_steps × ranks"),
      "N, the work items whose mean gradient makes a step; given, the result does not depend on the number "
      "of ranks");
  group.works("items_per_pass", integer_form(settings.items_per_pass, {1, kMostItems}),
              "items of equal shape that go through the U-Net together: faster on a GPU, more memory");
  group.works(
      "pair_order",
      choice_form(settings.pair_order, {{"shuffle", PairOrder::kShuffle}, {"random", PairOrder::kRandom}}),
      "shuffle takes every pair once before any comes again; random draws each anew, as sd-scripts does");
  group.works("device",
              choice_form(settings.device, {{"auto", DeviceChoice::kAuto},
                                            {"cpu", DeviceChoice::kCpu},
                                            {"cuda", DeviceChoice::kCuda}}),
              "auto takes the rank's own GPU where there is one, else the CPU");
  group.works(
      "threads",
      integer_form(settings.threads, {1, kMostThreads}, "OMP_NUM_THREADS, else the node's cores / its ranks"),
      "CPU threads of a rank; the result depends on them in its last digits");
  group.works_aside(
      "check_every", integer_form(settings.check_every, {.lowest = 0}),
      "steps between comparisons of the LoRA over the ranks, which end a run whose ranks differ; 0 is "
      "never");
  group.works_aside(
      "early_sign_every", integer_form(settings.early_sign_every, {0}),
      "every N steps a line says how far the LoRA has moved predictions, and whether to where it "
      "should; 0 is off");
  group.works("deterministic", switch_form(settings.deterministic),
              "false allows a GPU kernels that are faster and do not repeat bit for bit");
  const std::string merged =
      "ranks are joined by MPI or NCCL with leco's own exact merge, not by Python's wrappers";
  group.no_effect("ddp_timeout", unbound_form(ValueKind::kInteger), merged);
  group.no_effect("ddp_gradient_as_bucket_view", unbound_form(ValueKind::kSwitch), merged);
  group.no_effect("ddp_static_graph", unbound_form(ValueKind::kSwitch), merged);
  group.no_effect("deepspeed", unbound_form(ValueKind::kSwitch), merged);
  add_image_flags(table);
}

}  // namespace leco
