#include "tests/support/golden_steps.h"

#include "comm/local_communicator.h"
#include "core/error.h"
#include "lora/lora_network.h"

namespace leco {

using nlohmann::json;
using torch::Tensor;

namespace {

LossType loss_type_of(const std::string& name) {
  if (name == "l1") return LossType::kL1;
  if (name == "l2") return LossType::kL2;
  return name == "huber" ? LossType::kHuber : LossType::kSmoothL1;
}

BlockWeights weights_of(const json& given) {
  BlockWeights weights;
  if (given.is_array()) {
    weights.list = given.get<std::vector<double>>();
    return weights;
  }
  const auto text = given.get<std::string>();
  weights.preset = text.substr(0, text.find('+'));
  if (weights.preset.size() < text.size()) weights.base = std::stod(text.substr(weights.preset.size() + 1));
  return weights;
}

NetworkArgs network_args_of(json keys) {
  NetworkArgs args;
  const auto take = [&](const char* key, auto& target) {
    if (!keys.contains(key)) return;
    if constexpr (std::is_same_v<decltype(target), BlockWeights&>)
      target = weights_of(keys[key]);
    else if constexpr (requires { target.value(); })
      target = keys[key].get<typename std::remove_reference_t<decltype(target)>::value_type>();
    else
      target = keys[key].get<std::remove_reference_t<decltype(target)>>();
    keys.erase(key);
  };
  take("conv_dim", args.conv_dim);
  take("conv_alpha", args.conv_alpha);
  take("rank_dropout", args.rank_dropout);
  take("module_dropout", args.module_dropout);
  take("block_dims", args.block_dims);
  take("block_alphas", args.block_alphas);
  take("conv_block_dims", args.conv_block_dims);
  take("conv_block_alphas", args.conv_block_alphas);
  take("down_lr_weight", args.down_lr_weight);
  take("mid_lr_weight", args.mid_lr_weight);
  take("up_lr_weight", args.up_lr_weight);
  take("block_lr_zero_threshold", args.block_lr_zero_threshold);
  take("loraplus_lr_ratio", args.loraplus_lr_ratio);
  if (keys.value("train_method", "") == "noxattn") {
    args.train_method = TrainMethod::kNoxattn;
    keys.erase("train_method");
  }
  if (!keys.empty()) throw Error("this test does not know the network_args " + keys.dump());
  return args;
}

void expect_items(const std::vector<WorkItem>& found, const json& expected) {
  json ours = json::array(), theirs = json::array();
  for (const WorkItem& item : found)
    ours.push_back({item.pair, item.k, item.timestep, item.resolution.height, item.resolution.width});
  for (const json& item : expected)
    theirs.push_back({item["pair"], item["k"], item["t"], item["height"], item["width"]});
  EXPECT_EQ(ours, theirs);
}

void expect_records(const std::string& what, const Training& run, const json& records, double tolerance) {
  ASSERT_EQ(run.reports.size(), records.size()) << what;
  std::vector<double> losses, norms;
  for (size_t i = 0; i < records.size(); ++i) {
    const StepReport& ours = run.reports[i];
    losses.push_back(records[i]["loss"]);
    norms.push_back(records[i]["grad_norm"]);
    EXPECT_EQ(ours.step, records[i]["step"]);
    EXPECT_DOUBLE_EQ(ours.learning_rate, records[i]["lr"]) << what << ", step " << i + 1;
    expect_items(ours.items, records[i]["items"]);
  }
  expect_numbers(what + ": losses", losses_of(run), losses, tolerance);
  expect_numbers(what + ": gradient norms", norms_of(run), norms, tolerance);
}

// Our entries at `index` against `value`, those of lora_up and those of lora_down apart.
void expect_entries(const std::string& what, const Training& run,
                    const std::pair<Tensor, Tensor>& index_and_value, double tolerance) {
  const auto& [index, value] = index_and_value;
  const Tensor is_up = run.is_up.index_select(0, index);
  const Tensor ours = run.weights.index_select(0, index);
  EXPECT_TRUE(is_near(what + ": entries of lora_up", ours.masked_select(is_up), value.masked_select(is_up),
                      tolerance));
  EXPECT_TRUE(is_near(what + ": entries of lora_down", ours.masked_select(~is_up),
                      value.masked_select(~is_up), tolerance));
}

// Norms of the modules' lora_up or lora_down.
Tensor module_norms(const Training& run, bool up) {
  std::vector<double> norms;
  int64_t begin = 0;
  const Tensor turns = run.is_up.diff().nonzero().view({-1}) + 1;  // where down becomes up, and up down
  for (int64_t i = 0; i <= turns.size(0); ++i) {
    const int64_t end = i < turns.size(0) ? turns[i].item<int64_t>() : run.weights.size(0);
    if ((i % 2 == 1) == up)
      norms.push_back(run.weights.narrow(0, begin, end - begin).to(torch::kFloat64).norm().item<double>());
    begin = end;
  }
  return at::tensor(norms, torch::kFloat64);
}

HuberSchedule huber_schedule_of(const std::string& name) {
  return name == "constant"      ? HuberSchedule::kConstant
         : name == "exponential" ? HuberSchedule::kExponential
                                 : HuberSchedule::kSnr;
}

SamplerKind sampler_named(const std::string& name) {
  return std::ranges::find(sampler_names(), name, &std::pair<std::string, SamplerKind>::first)->second;
}

}  // namespace

TrainSettings settings_of(const json& first, const json& changes) {
  json keys = first;
  keys.update(changes);
  TrainSettings settings;
  const auto take = [&](const char* key, auto set) {
    if (!keys.contains(key)) return;
    set(keys[key]);
    keys.erase(key);
  };
  take("seed", [&](uint64_t value) { settings.seed = value; });
  take("max_train_steps", [&](int64_t value) { settings.max_train_steps = value; });
  take("pairs_per_step", [&](int64_t value) { settings.pairs_per_step = value; });
  take("max_denoising_steps", [&](int64_t value) { settings.max_denoising_steps = value; });
  take("leco_denoise_guidance_scale", [&](double value) { settings.leco_denoise_guidance_scale = value; });
  take("noise_offset", [&](double value) { settings.noise_offset = value; });
  take("min_snr_gamma", [&](double value) { settings.min_snr_gamma = value; });
  take("noise_offset_random_strength", [&](bool value) { settings.noise_offset_random_strength = value; });
  take("zero_terminal_snr", [&](bool value) { settings.zero_terminal_snr = value; });
  take("debiased_estimation_loss", [&](bool value) { settings.debiased_estimation_loss = value; });
  take("scale_v_pred_loss_like_noise_pred",
       [&](bool value) { settings.scale_v_pred_loss_like_noise_pred = value; });
  take("huber_c", [&](double value) { settings.huber_c = value; });
  take("huber_scale", [&](double value) { settings.huber_scale = value; });
  take("loss_type", [&](const std::string& value) { settings.loss_type = loss_type_of(value); });
  take("huber_schedule",
       [&](const std::string& value) { settings.huber_schedule = huber_schedule_of(value); });
  take("network_dim", [&](int64_t value) { settings.network_dim = value; });
  take("network_alpha", [&](double value) { settings.network_alpha = value; });
  take("network_dropout", [&](double value) { settings.network_dropout = value; });
  take("learning_rate", [&](double value) { settings.learning_rate = value; });
  take("max_grad_norm", [&](double value) { settings.max_grad_norm = value; });
  take("lr_warmup_steps", [&](double value) { settings.lr_schedule.warmup = value; });
  take("rollout_length", [&](const std::string& value) {
    settings.rollout_length = value == "shared"        ? RolloutLength::kShared
                              : value == "independent" ? RolloutLength::kIndependent
                                                       : RolloutLength::kAntithetic;
  });
  take("rollout_sampler", [&](const std::string& value) { settings.rollout_sampler = sampler_named(value); });
  take("samples_per_rollout", [&](int64_t value) { settings.samples_per_rollout = value; });
  take("align_timestep", [&](bool value) { settings.align_timestep = value; });
  take("pair_order", [&](const std::string& value) {
    settings.pair_order = value == "random" ? PairOrder::kRandom : PairOrder::kShuffle;
  });
  take("lr_scheduler", [&](const std::string& value) {
    settings.lr_schedule.kind = value == "constant" ? LrSchedule::kConstant : LrSchedule::kConstantWithWarmup;
  });
  take("network_args", [&](const json& value) { settings.network_args = network_args_of(value); });
  take("prediction_type", [](const std::string&) {});
  if (!keys.empty()) throw Error("this test does not know the settings " + keys.dump());
  return settings;
}

std::vector<PromptPair> pairs_of(const json& list) {
  std::vector<PromptPair> pairs;
  for (const json& pair : list)
    pairs.push_back({.target = pair["target"],
                     .positive = pair["positive"],
                     .unconditional = pair["unconditional"],
                     .neutral = pair["neutral"],
                     .action = pair["action"] == "erase" ? Action::kErase : Action::kEnhance,
                     .guidance_scale = pair["guidance_scale"],
                     .resolution = {pair["resolution"], pair["resolution"]},
                     .dynamic_resolution = pair["dynamic_resolution"],
                     .dynamic_crops = pair.value("dynamic_crops", false),
                     .batch_size = pair["batch_size"],
                     .multiplier = pair["multiplier"],
                     .weight = pair["weight"]});
  return pairs;
}

Training train(const TrainedModel& model, const TrainSettings& settings,
               const std::vector<PromptPair>& pairs) {
  LoraNetwork network(
      model.unet,
      {.rank = settings.network_dim, .alpha = settings.network_alpha, .args = settings.network_args},
      *settings.seed);
  const auto comm = make_local_communicator();
  Trainer trainer({settings, pairs, model.unet, model.embeddings, network, *comm, model.prediction});
  Training run;
  for (int64_t step = 0; step < settings.max_train_steps; ++step) run.reports.push_back(trainer.step(step));
  run.weights = network.weights().clone();
  std::vector<Tensor> is_up;
  for (const auto& module : network.modules()) {
    is_up.push_back(at::zeros({module->down().numel()}, torch::kBool));
    is_up.push_back(at::ones({module->up().numel()}, torch::kBool));
  }
  run.is_up = at::cat(is_up);
  return run;
}

std::vector<double> losses_of(const Training& run) {
  std::vector<double> losses;
  for (const StepReport& report : run.reports) losses.push_back(report.loss);
  return losses;
}

std::vector<double> norms_of(const Training& run) {
  std::vector<double> norms;
  for (const StepReport& report : run.reports) norms.push_back(report.gradient_norm);
  return norms;
}

void expect_numbers(const std::string& what, const std::vector<double>& found,
                    const std::vector<double>& expected, double tolerance) {
  ASSERT_EQ(found.size(), expected.size()) << what;
  double greatest = 0;
  for (size_t i = 0; i < found.size(); ++i) {
    greatest = std::max(greatest, std::abs(found[i] - expected[i]) / expected[i]);
    EXPECT_NEAR(found[i], expected[i], tolerance * expected[i]) << what << ", place " << i;
  }
  print_distance(what, greatest, tolerance);
}

void expect_first_run(const std::string& what, const Training& run, const json& golden, const Golden& lora) {
  constexpr StepTolerance allowed;
  expect_records(what, run, golden["records"], allowed.number);
  EXPECT_EQ(run.weights.numel(), golden["weights"]);
  expect_entries(what, run, {lora["index"], lora["value"]}, allowed.lora);
  EXPECT_TRUE(
      is_near(what + ": norms of each lora_up", module_norms(run, true), lora["up_norms"], allowed.lora));
  EXPECT_TRUE(is_near(what + ": norms of each lora_down", module_norms(run, false), lora["down_norms"],
                      allowed.lora));
}

void expect_variant(const std::string& what, const Training& run, const json& variant) {
  expect_records(what, run, variant["records"], kVariant.number);
  expect_entries(what, run,
                 {at::tensor(variant["index"].get<std::vector<int64_t>>()),
                  at::tensor(variant["value"].get<std::vector<double>>(), torch::kFloat64)},
                 kVariant.lora);
  const auto norm = [](const Tensor& all) { return all.to(torch::kFloat64).norm().item<double>(); };
  expect_numbers(what + ": norms of all lora_up and lora_down", {norm(run.up()), norm(run.down())},
                 {variant["up_norm"], variant["down_norm"]}, StepTolerance().lora);
}

const json& variant_named(const json& golden, const std::string& name) {
  for (const json& variant : golden["variants"])
    if (variant["name"] == name) return variant;
  throw Error("no variant " + name);
}

}  // namespace leco
