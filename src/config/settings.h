// Every setting of a training run, with its default. Filled once from flags and the config file, checked as a
// whole, then passed by const reference. Names are the flags' (sd-scripts' own where it has the flag).
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "config/lr_schedule_settings.h"
#include "config/network_args.h"
#include "config/optimizer_settings.h"
#include "config/sampler.h"
#include "core/log.h"

namespace leco {

enum class SaveFormat { kSafetensors, kCkpt, kPt };
enum class SavePrecision { kFloat32, kFloat16, kBFloat16 };
enum class PairOrder { kShuffle, kRandom };
enum class RolloutLength { kShared, kIndependent, kAntithetic };
enum class DeviceChoice { kAuto, kCpu, kCuda };
enum class LossType { kL1, kL2, kHuber, kSmoothL1 };
enum class HuberSchedule { kConstant, kExponential, kSnr };
enum class MixedPrecision { kNo, kFloat16, kBFloat16 };

// TensorBoard's event files. Without a folder none are written.
struct LogSettings {
  std::string logging_dir;
  bool with_tensorboard = false;  // the user said so; a folder alone says it too
  std::string prefix;             // of the run's folder
  std::string tracker_name = "leco_train";
  bool config = false;  // the settings go into the log as well
};

// Pictures while training.
struct PreviewSettings {
  std::optional<int64_t> every_n_steps;
  bool at_first = false;  // before the first step
  std::string prompts;    // a file of sample prompts
  SamplerKind sampler = SamplerKind::kDdim;
  std::string vae;  // another than the model's
  bool is_on() const { return at_first || every_n_steps; }
};

struct TrainSettings {
  // Model and prompts
  std::string pretrained_model_name_or_path;  // a Diffusers folder, a single file, or a hub id in the cache
  bool v2 = false;                            // the user says: Stable Diffusion 2.x
  bool v_parameterization = false;            // the user says: it predicts v
  int64_t max_token_length = 75;              // tokens of a prompt that are read: 75, 150 or 225
  std::optional<int64_t> clip_skip;           // take the text encoder's N-th layer from the end
  std::string tokenizer_cache_dir;            // tokenizers for single files; empty: the built-in one
  std::string prompts_file;

  // The rollout
  int64_t max_denoising_steps = 40;          // K, 2 … 1000
  double leco_denoise_guidance_scale = 3.0;  // G, guidance of the rollout
  RolloutLength rollout_length = RolloutLength::kShared;
  SamplerKind rollout_sampler = SamplerKind::kDdpm;
  int64_t samples_per_rollout = 1;            // points of one rollout that are trained at
  bool align_timestep = false;                // condition on the level at which a rollout ends
  double noise_offset = 0.0;                  // 0 = off
  bool noise_offset_random_strength = false;  // each item's offset is drawn between 0 and noise_offset
  bool zero_terminal_snr = false;             // the schedule is shifted so that its last level is pure noise

  // The LoRA
  int64_t network_dim = 4;       // rank r
  double network_alpha = 1.0;    // alpha; 0 means r
  double network_dropout = 0.0;  // neuron dropout, 0 = off
  NetworkArgs network_args;
  std::string network_weights;    // a LoRA file to start from; empty = a fresh one
  bool dim_from_weights = false;  // modules, ranks and alphas are the file's

  // Training
  LossType loss_type = LossType::kL2;
  HuberSchedule huber_schedule = HuberSchedule::kSnr;  // how the Huber losses' threshold follows the timestep
  double huber_c = 0.1;                                // the threshold, above 0
  double huber_scale = 1.0;                            // its factor, above 0; not with the snr schedule
  double min_snr_gamma = 0.0;                          // 0 = every timestep counts alike
  bool debiased_estimation_loss = false;
  bool scale_v_pred_loss_like_noise_pred = false;
  int64_t max_train_steps = 1600;
  double learning_rate = 2e-6;
  std::optional<double> unet_lr;  // wins over learning_rate
  OptimizerSettings optimizer;
  LrScheduleSettings lr_schedule;
  int64_t gradient_accumulation_steps = 1;
  double max_grad_norm = 1.0;    // 0 = no clipping
  std::optional<uint64_t> seed;  // absent: drawn, printed and stored

  // Which items make a step
  std::optional<int64_t> pairs_per_step;  // N; absent: gradient_accumulation_steps × ranks
  int64_t items_per_pass = 1;             // G
  PairOrder pair_order = PairOrder::kShuffle;

  // Output
  std::string output_dir;
  std::string output_name = "last";
  SaveFormat save_model_as = SaveFormat::kSafetensors;
  SavePrecision save_precision = SavePrecision::kFloat32;
  std::optional<int64_t> save_every_n_steps;
  std::optional<int64_t> save_last_n_steps;  // older step files are removed; absent: all are kept
  bool save_state = false;                   // a state with every LoRA file
  bool save_state_on_train_end = false;      // a state at the end
  std::optional<int64_t> save_last_n_steps_state;
  std::string resume;  // a state's folder; "auto": the newest of this output; empty: start anew
  bool no_metadata = false;
  std::string training_comment;

  // Precision and speed
  MixedPrecision mixed_precision = MixedPrecision::kNo;  // the type of the U-Net's arithmetic; no is float32
  bool full_fp16 = false;                                // the LoRA's arithmetic in float16 as well
  bool full_bf16 = false;                                // the same in bfloat16
  bool gradient_checkpointing = false;                   // blocks are computed again for their gradients
  bool deterministic = true;                             // kernels that give the same bits in every run
  int64_t check_every = 100;  // steps between comparisons of the LoRA over the ranks; 0 = never

  // Logs
  int64_t early_sign_every = 20;  // 0 = off
  LogSettings log;
  PreviewSettings preview;
  // Lines for people
  log::Level console_log_level = log::Level::kInfo;  // the least that is shown
  std::string console_log_file;                      // instead of stderr
  bool console_log_simple = false;                   // without time and level

  // The machine
  DeviceChoice device = DeviceChoice::kAuto;
  std::optional<int64_t>
      threads;  // CPU threads a rank; absent: OMP_NUM_THREADS, else the node's cores over its ranks

  double base_lr() const { return unet_lr.value_or(learning_rate); }
  double alpha() const { return network_alpha == 0 ? static_cast<double>(network_dim) : network_alpha; }
  int64_t warmup_steps() const { return steps_of(lr_schedule.warmup); }
  int64_t decay_steps() const { return steps_of(lr_schedule.decay); }

 private:
  int64_t steps_of(double steps_or_share) const {
    return static_cast<int64_t>(steps_or_share < 1 ? steps_or_share * static_cast<double>(max_train_steps)
                                                   : steps_or_share);
  }
};

}  // namespace leco
