#include "tests/unit/launcher_flags_support.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <sstream>

namespace leco {
namespace {

std::string effective_value(const ParsedTrain& parsed, const std::string& name) {
  for (const auto& [key, value] : parsed.effective) {
    if (key == name) return value;
  }
  return "(missing)";
}

std::map<std::string, Flag> table_by_name() {
  static TrainSettings settings;
  std::map<std::string, Flag> by_name;
  for (const Flag& flag : train_flags(settings)) by_name[flag.name] = flag;
  return by_name;
}

// A command line that asks for something else than the flag's default.
Words asking(const Flag& flag) {
  switch (flag.form.kind) {
    case ValueKind::kSwitch:
      return {"--" + flag.name};
    case ValueKind::kInteger:
      return {"--" + flag.name + "=77"};
    case ValueKind::kNumber:
      return {"--" + flag.name + "=0.77"};
    case ValueKind::kText:
      return {"--" + flag.name + "=something"};
    case ValueKind::kWords:
      return {"--" + flag.name, "a=1", "b=2"};
  }
  return {};
}

// What the parsers of train_leco.py and sdxl_train_leco.py take.
constexpr char kSdScriptsFlags[] = R"(
adaptive_noise_scale async_upload cache_latents cache_latents_to_disk cache_text_encoder_outputs
cache_text_encoder_outputs_to_disk clip_skip config_file console_log_file console_log_level
console_log_simple ddp_gradient_as_bucket_view ddp_static_graph ddp_timeout debiased_estimation_loss
deepspeed dim_from_weights disable_mmap_load_safetensors dynamo_backend fp8_base full_bf16 full_fp16
fused_backward_pass gradient_accumulation_steps gradient_checkpointing highvram huber_c huber_scale
huber_schedule huggingface_path_in_repo huggingface_repo_id huggingface_repo_type
huggingface_repo_visibility huggingface_token ip_noise_gamma ip_noise_gamma_random_strength learning_rate
leco_denoise_guidance_scale log_config log_prefix log_tracker_config log_tracker_name log_with logging_dir
loss_type lowram lr_decay_steps lr_scheduler lr_scheduler_args lr_scheduler_min_lr_ratio
lr_scheduler_num_cycles lr_scheduler_power lr_scheduler_timescale lr_scheduler_type lr_warmup_steps
max_data_loader_n_workers max_denoising_steps max_grad_norm max_timestep max_token_length max_train_epochs
max_train_steps mem_eff_attn min_snr_gamma min_timestep mixed_precision multires_noise_discount
multires_noise_iterations network_alpha network_args network_dim network_dropout network_module
network_train_text_encoder_only network_train_unet_only network_weights no_metadata noise_offset
noise_offset_random_strength optimizer_args optimizer_type output_config output_dir output_name
persistent_data_loader_workers pretrained_model_name_or_path prompts_file resume resume_from_huggingface
sample_at_first sample_every_n_epochs sample_every_n_steps sample_prompts sample_sampler save_every_n_epochs
save_every_n_steps save_last_n_epochs save_last_n_epochs_state save_last_n_steps save_last_n_steps_state
save_model_as save_n_epoch_ratio save_precision save_state save_state_on_train_end save_state_to_huggingface
scale_v_pred_loss_like_noise_pred sdpa seed tokenizer_cache_dir torch_compile train_batch_size
training_comment unet_lr use_8bit_adam use_lion_optimizer v2 v_parameterization v_pred_like_loss vae
wandb_api_key wandb_run_name xformers zero_terminal_snr)";

TEST(Table, HoldsEveryFlagOfSdScriptsTwoScripts) {
  std::istringstream names(kSdScriptsFlags);
  const std::set<std::string> wanted(std::istream_iterator<std::string>(names), {});
  EXPECT_EQ(wanted.size(), 124u);
  for (const std::string& name : wanted)
    EXPECT_TRUE(contains(flags_markdown(), "| `--" + name + "` |")) << name;
}

TEST(Table, HoldsLecosOwnFlags) {
  const auto table = table_by_name();
  for (const char* name : {"pairs_per_step", "items_per_pass", "pair_order", "rollout_length",
                           "rollout_sampler", "samples_per_rollout", "align_timestep", "device", "threads",
                           "check_every", "early_sign_every", "deterministic"}) {
    EXPECT_TRUE(table.contains(name)) << name;
  }
}

TEST(Table, NamesEveryFlagOnceAndKeepsGroupsTogether) {
  TrainSettings settings;
  std::set<std::string> names, groups;
  std::string group;
  for (const Flag& flag : train_flags(settings)) {
    EXPECT_TRUE(names.insert(flag.name).second) << flag.name;
    const bool starts_group = flag.group != group;
    group = flag.group;
    EXPECT_TRUE(!starts_group || groups.insert(group).second) << group;
    EXPECT_FALSE(flag.help.empty() && flag.reason.empty()) << flag.name;
    EXPECT_TRUE(flag.form.set && flag.form.show) << flag.name;
  }
}

TEST(Status, EveryFlagIsSetOrExplainedOrRefused) {
  for (const auto& [name, flag] : table_by_name()) {
    if (flag.status == FlagStatus::kWorks) continue;
    if (flag.status == FlagStatus::kNoEffect) {
      const auto notices = parse(asking(flag)).notices;
      ASSERT_EQ(notices.size(), 1u) << name;
      EXPECT_TRUE(contains(notices[0], "--" + name) && contains(notices[0], " has no effect here: "));
      continue;
    }
    const std::string error = train_error(asking(flag));
    EXPECT_TRUE(error.starts_with("--" + name)) << name << ": " << error;
    EXPECT_TRUE(contains(error, " is refused: ")) << error;
  }
}

TEST(Status, WhatAsksForNothingPasses) {
  for (const auto& [name, flag] : table_by_name()) {
    if (flag.status == FlagStatus::kWorks) continue;
    const auto parsed = parse({"--" + name + "=" + flag.form.show()});
    EXPECT_TRUE(parsed.notices.empty()) << name;
    if (flag.form.kind == ValueKind::kSwitch) parse({"--" + name + "=false"});
  }
  parse({"--network_args", "--multires_noise_discount", "0.30"});
}

TEST(Status, SaysWhatTheVersionHasInstead) {
  EXPECT_TRUE(contains(train_error({"--max_train_epochs=3"}), "use --max_train_steps"));
}

TEST(Status, SecretsAreNotRepeated) {
  for (const char* name : {"wandb_api_key", "huggingface_token"}) {
    const std::string error = train_error({std::string("--") + name + "=hunter2"});
    EXPECT_TRUE(contains(error, " is refused: ") && !contains(error, "hunter2")) << error;
  }
}

TEST(Status, WordsNobodyKnowsAreRefusedWithTheList) {
  EXPECT_EQ(train_error({"--network_module=lycoris.kohya"}),
            "--network_module=lycoris.kohya: expected networks.lora");
  EXPECT_TRUE(contains(train_error({"--device=tpu"}), "expected one of auto, cpu, cuda"));
}

TEST(Status, WordsThatWorkAreTaken) {
  EXPECT_EQ(parse({"--save_precision=bf16"}).settings.save_precision, SavePrecision::kBFloat16);
  EXPECT_EQ(parse({"--save_precision=float"}).settings.save_precision, SavePrecision::kFloat32);
  EXPECT_EQ(parse({"--device=cuda"}).settings.device, DeviceChoice::kCuda);
  EXPECT_EQ(parse({"--pair_order=random"}).settings.pair_order, PairOrder::kRandom);
  EXPECT_EQ(parse({"--rollout_length=antithetic"}).settings.rollout_length, RolloutLength::kAntithetic);
  EXPECT_EQ(parse({}).settings.max_token_length, 75);
  for (const int64_t length : {75, 150, 225})
    EXPECT_EQ(parse({"--max_token_length=" + std::to_string(length)}).settings.max_token_length, length);
  EXPECT_EQ(parse({"--clip_skip=2"}).settings.clip_skip, 2);
  EXPECT_EQ(parse({}).settings.clip_skip, std::nullopt);
  parse({"--mixed_precision=no", "--save_model_as=safetensors", "--loss_type=l2",
         "--network_module=networks.lora", "--network_train_unet_only", "--sdpa"});
}

TEST(Status, LossSettingsThatSayNothingAreExplained) {
  EXPECT_EQ(parse({"--huber_c=0.2", "--huber_schedule=constant"}).notices,
            (Words{"--huber_schedule has no effect here: only --loss_type huber and smooth_l1 take it",
                   "--huber_c has no effect here: only --loss_type huber and smooth_l1 take it"}));
  EXPECT_EQ(parse({"--loss_type=huber", "--huber_scale=2"}).notices,
            Words{"--huber_scale has no effect here: the snr schedule takes no scale, as in sd-scripts"});
  EXPECT_EQ(parse({"--noise_offset_random_strength"}).notices,
            Words{"--noise_offset_random_strength has no effect here: --noise_offset is 0"});
  EXPECT_TRUE(parse({"--loss_type=smooth_l1", "--huber_schedule=exponential", "--huber_scale=2",
                     "--huber_c=0.3", "--noise_offset=0.1", "--noise_offset_random_strength"})
                  .notices.empty());
  EXPECT_EQ(train_error({"--huber_c=0"}), "--huber_c=0: expected a finite number above 0");
  EXPECT_EQ(train_error({"--loss_type=mse"}), "--loss_type=mse: expected one of l2, l1, huber, smooth_l1");
}

TEST(Status, FullPrecisionNeedsItsMixedPrecision) {
  EXPECT_EQ(train_error({"--full_fp16", "--mixed_precision=bf16"}),
            "--full_fp16: the LoRA computes in the U-Net's type, so it needs --mixed_precision=fp16");
  EXPECT_EQ(train_error({"--full_bf16"}),
            "--full_bf16: the LoRA computes in the U-Net's type, so it needs --mixed_precision=bf16");
  EXPECT_TRUE(parse({"--full_bf16", "--mixed_precision=bf16"}).settings.full_bf16);
  EXPECT_EQ(train_error({"--mixed_precision=fp8"}), "--mixed_precision=fp8: expected one of no, fp16, bf16");
  EXPECT_EQ(parse({"--check_every=0"}).settings.check_every, 0);
  EXPECT_FALSE(parse({"--deterministic=false"}).settings.deterministic);
}

TEST(Status, SwitchingOffWhatIsAlwaysOnIsExplained) {
  EXPECT_EQ(parse({"--sdpa=false"}).notices,
            Words{"--sdpa=false has no effect here: attention is PyTorch's scaled dot product in any case"});
}

TEST(Effective, ShowsEveryWorkingFlagInTableOrder) {
  const auto parsed = parse({"--network_dim=8", "--optimizer_args", "betas=0.8,0.9"});
  EXPECT_EQ(effective_value(parsed, "network_dim"), "8");
  EXPECT_EQ(effective_value(parsed, "learning_rate"), "2e-06");
  EXPECT_EQ(effective_value(parsed, "optimizer_args"),
            "betas=0.8,0.9 eps=1e-08 weight_decay=0.01 amsgrad=False maximize=False");
  EXPECT_EQ(effective_value(parsed, "seed"), "random");
  EXPECT_EQ(effective_value(parsed, "wandb_run_name"), "(missing)");
  EXPECT_EQ(effective_value(parsed, "config_file"), "(missing)");
  const auto table = table_by_name();
  size_t working = 0;
  for (const auto& [name, flag] : table) working += flag.status == FlagStatus::kWorks;
  EXPECT_EQ(parsed.effective.size(), working);
  EXPECT_EQ(parsed.effective.front().first, "pretrained_model_name_or_path");
}

TEST(Effective, FollowsWhatIsResolvedLater) {
  TrainSettings settings;
  settings.seed = 5;
  settings.pairs_per_step = 6;
  settings.threads = 2;
  std::map<std::string, std::string> values;
  for (const auto& [name, value] : effective_settings(settings)) values[name] = value;
  EXPECT_EQ(values["seed"], "5");
  EXPECT_EQ(values["pairs_per_step"], "6");
  EXPECT_EQ(values["threads"], "2");
}

TEST(Effective, ReadsBackAsTheSameSettings) {
  auto first =
      parse({"--learning_rate=0.1", "--noise_offset=0.30000000000000004", "--min_snr_gamma=0.1",
             "--seed=18446744073709551615", "--pairs_per_step=3", "--threads=1", "--unet_lr=1e-5",
             "--save_every_n_steps=10", "--save_last_n_steps=30", "--save_last_n_steps_state=20",
             "--sample_every_n_steps=5", "--sample_prompts=p.txt", "--clip_skip=2", "--loss_type=huber",
             "--huber_c=0.07", "--optimizer_args", "eps=1e-300", "weight_decay=0.1"});
  Words words;
  for (const auto& [name, value] : first.effective) {
    if (name == "optimizer_args" || name.starts_with("lr_scheduler_")) continue;  // several words, or none
    words.push_back("--" + name + "=" + value);
  }
  words.insert(words.end(), {"--optimizer_args", "betas=0.9,0.999", "eps=1e-300", "weight_decay=0.1"});
  EXPECT_EQ(parse(words).effective, first.effective);
}

TEST(Effective, LeavesOutOfTheResultWhatDoesNotDetermineIt) {
  std::set<std::string> result, all;
  for (const auto& [name, value] : result_settings(TrainSettings())) result.insert(name);
  for (const auto& [name, value] : effective_settings(TrainSettings())) all.insert(name);
  const std::set<std::string> aside = {"pretrained_model_name_or_path",
                                       "prompts_file",
                                       "network_weights",
                                       "tokenizer_cache_dir",
                                       "gradient_accumulation_steps",  // pairs_per_step says it
                                       "output_dir",
                                       "output_name",
                                       "save_every_n_steps",
                                       "save_last_n_steps",
                                       "save_state",
                                       "save_state_on_train_end",
                                       "save_last_n_steps_state",
                                       "resume",
                                       "no_metadata",
                                       "console_log_level",
                                       "console_log_file",
                                       "console_log_simple",
                                       "training_comment",
                                       "early_sign_every",
                                       "logging_dir",
                                       "log_with",
                                       "log_prefix",
                                       "log_tracker_name",
                                       "log_config",
                                       "vae",
                                       "sample_every_n_steps",
                                       "sample_at_first",
                                       "sample_prompts",
                                       "sample_sampler",
                                       "gradient_checkpointing",
                                       "check_every"};
  std::set<std::string> both = result;
  both.insert(aside.begin(), aside.end());
  EXPECT_EQ(both, all);
  EXPECT_EQ(result.size() + aside.size(), all.size());
}

TEST(Defaults, AreSdScriptsOwn) {
  const auto table = table_by_name();
  const std::map<std::string, std::string> wanted = {{"max_denoising_steps", "40"},
                                                     {"leco_denoise_guidance_scale", "3"},
                                                     {"network_dim", "4"},
                                                     {"network_alpha", "1"},
                                                     {"max_train_steps", "1600"},
                                                     {"learning_rate", "2e-06"},
                                                     {"max_grad_norm", "1"},
                                                     {"lr_scheduler", "constant"},
                                                     {"gradient_accumulation_steps", "1"},
                                                     {"save_model_as", "safetensors"},
                                                     {"output_name", "last"},
                                                     {"mixed_precision", "no"},
                                                     {"loss_type", "l2"},
                                                     {"huber_c", "0.1"}};
  for (const auto& [name, value] : wanted) EXPECT_EQ(table.at(name).form.show(), value) << name;
}

// docs/train_leco.md of sd-scripts, its example for SD 1.x.
TEST(Guide, ExampleCommandParses) {
  const Words example = {"--pretrained_model_name_or_path=model.safetensors",
                         "--output_dir=output",
                         "--output_name=detail_slider",
                         "--prompts_file=prompts.toml",
                         "--network_dim=8",
                         "--network_alpha=4",
                         "--learning_rate=1e-4",
                         "--max_train_steps=500",
                         "--max_denoising_steps=40",
                         "--mixed_precision=bf16"};
  const auto parsed = parse_train_flags(example, no_file);
  EXPECT_TRUE(parsed.notices.empty());
  EXPECT_EQ(parsed.settings.max_train_steps, 500);
  EXPECT_EQ(parsed.settings.mixed_precision, MixedPrecision::kBFloat16);
}

TEST(Guide, RunFileForSd15HoldsItsStartingValues) {
  const std::string path = std::string(LECO_SOURCE_DIR) + "/configs/sd15.toml";
  const auto parsed =
      parse_train_flags(Words{"--config_file", path, "--pretrained_model_name_or_path=m"}, read_local_file);
  EXPECT_TRUE(parsed.notices.empty());
  EXPECT_EQ(parsed.settings.network_dim, 8);
  EXPECT_EQ(parsed.settings.network_alpha, 4);
  EXPECT_EQ(parsed.settings.learning_rate, 1e-4);
  EXPECT_EQ(parsed.settings.max_train_steps, 500);
  EXPECT_EQ(parsed.settings.max_denoising_steps, 40);
}

TEST(Plan, NeedsNoModelAndNoFolder) {
  const auto plan = parse_plan_flags(Words{"--prompts_file=p.toml", "--json", "--ranks", "8"}, no_file);
  EXPECT_TRUE(plan.json);
  EXPECT_EQ(plan.ranks, 8);
  EXPECT_EQ(plan.settings.prompts_file, "p.toml");
  EXPECT_FALSE(parse_plan_flags(Words{"--prompts_file=p.toml"}, no_file).ranks.has_value());
  EXPECT_TRUE(contains(error_of([] { parse_plan_flags(Words{}, no_file); }), "--prompts_file is missing"));
  EXPECT_TRUE(contains(train_error({"--json"}), "unknown flag --json"));
}

TEST(Help, ShowsEveryFlagWithDefaultAndMeaning) {
  const std::string help = train_help();
  for (const Flag& flag : listed_train_flags()) {
    EXPECT_TRUE(contains(help, "--" + flag.name)) << flag.name;
    EXPECT_TRUE(flag.status != FlagStatus::kWorks || contains(help, "\n  --" + flag.name)) << flag.name;
  }
  EXPECT_TRUE(contains(help, "  --network_dim N (default: 4)\n      the rank; "));
  EXPECT_TRUE(contains(help, "\nTaken without effect, ") && contains(help, "\nRefused: "));
  EXPECT_TRUE(contains(plan_help(), "\n  --json\n") && contains(plan_help(), "\n  --network_dim N"));
}

TEST(Help, FitsATerminalOf80Columns) {
  for (const std::string& help : {train_help(), plan_help()}) {
    std::istringstream lines(help);
    for (std::string line; std::getline(lines, line);) {
      const auto columns = std::ranges::count_if(line, [](char c) { return (c & 0xC0) != 0x80; });
      EXPECT_LE(columns, 80) << line;
    }
  }
}

// What asks for the same thing of the reader stands once: 60 flags that cannot be used take a screen, not
// five.
TEST(Help, SaysOneReasonOnce) {
  const std::string help = train_help();
  const std::string reason = "no network service is spoken to; upload the finished";
  EXPECT_EQ(help.find(reason), help.rfind(reason));
  EXPECT_TRUE(contains(help, reason));
}

TEST(Help, DocsFlagsPageIsTheTable) {
  const std::string path = std::string(LECO_SOURCE_DIR) + "/docs/flags.md";
  if (std::getenv("LECO_UPDATE_DOCS") != nullptr) std::ofstream(path) << flags_markdown();
  std::ifstream in(path);
  const std::string page(std::istreambuf_iterator<char>(in), {});
  EXPECT_TRUE(page == flags_markdown()) << "docs/flags.md differs from the table of flags; write it anew "
                                           "with: LECO_UPDATE_DOCS=1 launcher_flags_test";
}

}  // namespace
}  // namespace leco
