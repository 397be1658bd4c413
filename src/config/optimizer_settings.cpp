#include "config/optimizer_settings.h"

#include <algorithm>

namespace leco {
namespace {

using Kind = OptimizerKind;

const std::string kPaged =
    "it pages its state out of GPU memory, which a LoRA does not need; the unpaged form is used";
const std::string kNoNesterov = "bitsandbytes takes the name and computes plain momentum, and so does this";

const std::vector<OptimizerName> kNames = {
    {"AdamW", Kind::kAdamW, "torch.optim.AdamW"},
    {"AdamW8bit", Kind::kAdamW8bit, "bitsandbytes.optim.AdamW8bit"},
    {"Adam", Kind::kAdam, "torch.optim.Adam"},
    {"SGD", Kind::kSgd, "torch.optim.SGD"},
    {"SGDNesterov", Kind::kSgdNesterov, "torch.optim.SGD"},
    {"SGDNesterov8bit", Kind::kSgdNesterov8bit, "bitsandbytes.optim.SGD8bit", kNoNesterov},
    {"Lion", Kind::kLion, "lion_pytorch.Lion"},
    {"Lion8bit", Kind::kLion8bit, "bitsandbytes.optim.Lion8bit"},
    {"Adafactor", Kind::kAdafactor, "transformers.optimization.Adafactor"},
    {"Prodigy", Kind::kProdigy, "prodigyopt.Prodigy"},
    {"DAdaptAdam", Kind::kDAdaptAdam, "dadaptation.DAdaptAdam"},
    {"DAdaptLion", Kind::kDAdaptLion, "dadaptation.DAdaptLion"},
    {"AdamWScheduleFree", Kind::kAdamWScheduleFree, "schedulefree.AdamWScheduleFree"},
    {"RMSprop", Kind::kRmsprop, "torch.optim.RMSprop"},
    {"Adagrad", Kind::kAdagrad, "torch.optim.Adagrad"},
    {"NAdam", Kind::kNAdam, "torch.optim.NAdam"},
    {"RAdam", Kind::kRAdam, "torch.optim.RAdam"},
    {"PagedAdamW", Kind::kAdamW, "torch.optim.AdamW", kPaged},
    {"PagedAdamW8bit", Kind::kAdamW8bit, "bitsandbytes.optim.AdamW8bit", kPaged},
    {"PagedAdamW32bit", Kind::kAdamW, "torch.optim.AdamW", kPaged},
    {"PagedLion8bit", Kind::kLion8bit, "bitsandbytes.optim.Lion8bit", kPaged},
};

// Bytes of a number of state that large tensors keep in 8 bits, with its share of the block's scale.
int64_t eight_bit_bytes(const OptimizerSettings& settings, int64_t count) {
  constexpr int64_t kBlock = 256;
  if (count < settings.min_8bit_size) return 4 * count;
  return count + 4 * ((count + kBlock - 1) / kBlock);
}

int64_t adafactor_numbers(const OptimizerSettings& settings, const WeightSegment& segment) {
  return segment.matrices * (segment.rows + segment.columns) + (settings.beta1 ? segment.count() : 0);
}

// float32 numbers of state for each weight.
int64_t numbers_per_weight(const OptimizerSettings& settings) {
  switch (settings.kind) {
    case Kind::kAdamW:
    case Kind::kAdam:
      return settings.amsgrad ? 3 : 2;
    case Kind::kSgd:
    case Kind::kSgdNesterov:
      return settings.momentum != 0 ? 1 : 0;
    case Kind::kRmsprop:
      return 1 + (settings.momentum > 0 ? 1 : 0) + (settings.centered ? 1 : 0);
    case Kind::kLion:
    case Kind::kAdagrad:
      return 1;
    case Kind::kDAdaptAdam:
      return 3;
    default:
      return 2;
  }
}

int64_t state_bytes(const OptimizerSettings& settings, const WeightSegment& segment) {
  const int64_t count = segment.count();
  switch (settings.kind) {
    case Kind::kAdamW8bit:
      return 2 * eight_bit_bytes(settings, count);
    case Kind::kLion8bit:
    case Kind::kSgdNesterov8bit:
      return eight_bit_bytes(settings, count);
    case Kind::kAdafactor:
      return 4 * adafactor_numbers(settings, segment);
    case Kind::kProdigy: {
      const int64_t sampled = (count + settings.slice_p - 1) / settings.slice_p;
      const int64_t places = settings.slice_p > 1 ? 8 * sampled : 0;
      return 4 * (settings.betas[0] > 0 ? 2 : 1) * count + 8 * sampled + places;
    }
    default:
      return 4 * numbers_per_weight(settings) * count;
  }
}

}  // namespace

std::span<const OptimizerName> optimizer_names() {
  return kNames;
}

const std::string& optimizer_name(OptimizerKind kind) {
  return std::ranges::find(kNames, kind, &OptimizerName::kind)->name;
}

OptimizerSettings default_optimizer(OptimizerKind kind) {
  OptimizerSettings settings{.kind = kind};
  if (kind != Kind::kAdamW && kind != Kind::kAdamW8bit) settings.weight_decay = 0;
  switch (kind) {
    case Kind::kSgdNesterov:
      settings.nesterov = true;
      settings.momentum = 0.9;
      break;
    case Kind::kSgdNesterov8bit:
      settings.momentum = 0.9;
      break;
    case Kind::kLion:
    case Kind::kLion8bit:
    case Kind::kDAdaptLion:
      settings.betas = {0.9, 0.99};
      break;
    case Kind::kAdagrad:
      settings.eps = 1e-10;
      break;
    case Kind::kDAdaptAdam:
      settings.decouple = false;
      break;
    default:
      break;
  }
  return settings;
}

std::string optimizer_text(OptimizerSettings settings) {
  std::string text;
  for (const std::string& word : argument_words(optimizer_arguments(settings)))
    text += (text.empty() ? "" : ", ") + word;
  return optimizer_name(settings.kind) + "(" + text + ")";
}

bool ignores_learning_rate(const OptimizerSettings& settings) {
  return settings.kind == Kind::kAdafactor && settings.relative_step;
}

bool ignores_lr_schedule(const OptimizerSettings& settings) {
  return settings.kind == Kind::kAdamWScheduleFree || ignores_learning_rate(settings);
}

bool needs_one_rate(OptimizerKind kind) {
  return kind == Kind::kProdigy || kind == Kind::kDAdaptAdam || kind == Kind::kDAdaptLion;
}

int64_t optimizer_state_bytes(const OptimizerSettings& settings, std::span<const WeightSegment> segments) {
  int64_t bytes = 0;
  for (const WeightSegment& segment : segments) bytes += state_bytes(settings, segment);
  return bytes;
}

}  // namespace leco
