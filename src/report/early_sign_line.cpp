#include "report/early_sign_line.h"

#include <fmt/format.h>

#include <algorithm>

namespace leco {
namespace {

constexpr double kSmallestProgress = 0.01;
constexpr double kVisibleChange =
    0.02;                            // predictions that differ this much have been moved, if not to the goal
constexpr double kUsualRate = 1e-4;  // and up: see docs/guide.md

std::string percent(double share) {
  return fmt::format("{:.2g}%", 100 * share);
}

}  // namespace

std::string early_sign_line(int64_t step, const EarlySign& sign) {
  if (!sign.has_goal)
    return fmt::format("early sign at step {}: the goal is what the model predicts already", step);
  return fmt::format(
      "early sign at step {}: predictions changed by {}, cosine to the goal {:.2f}, {} of the way", step,
      percent(sign.change), sign.cosine, percent(sign.progress));
}

EarlySignJudge::EarlySignJudge(const TrainSettings& settings, int64_t finished_steps)
    : settings_(settings), judged_from_(std::max(settings.max_train_steps / 10, settings.warmup_steps())) {
  const int64_t every = settings.early_sign_every;
  if (every > 0) judged_ = finished_steps / every * every >= std::max<int64_t>(judged_from_, every);
}

std::string EarlySignJudge::judge(int64_t step, const EarlySign& sign) {
  if (judged_ || step < judged_from_) return {};
  judged_ = true;
  if (!sign.has_goal)
    return fmt::format(
        "at step {} there is nothing to learn: the prompts' goal equals what the model predicts for the "
        "target; make positive and unconditional (or negative) differ, or raise guidance_scale in {}",
        step, settings_.prompts_file);
  if (sign.progress >= kSmallestProgress) return {};
  const std::string so_far = fmt::format("at step {} of {} the LoRA has gone {} of the way to the goal", step,
                                         settings_.max_train_steps, percent(sign.progress));
  if (sign.change >= kVisibleChange)
    return fmt::format(
        "{}, although it changes predictions by {}: it moves elsewhere. Lower --learning_rate (now {}), "
        "raise "
        "--pairs_per_step, or look at the prompts: do positive and negative differ in what you want?",
        so_far, percent(sign.change), settings_.base_lr());
  if (settings_.base_lr() < kUsualRate)
    return fmt::format(
        "{}, so pictures will hardly change. Raise --learning_rate (now {}): 1e-4 to 1e-3 is usual", so_far,
        settings_.base_lr());
  return fmt::format(
      "{}, so pictures will hardly change. Raise --learning_rate (now {}), --network_alpha (now {}) or "
      "--max_train_steps",
      so_far, settings_.base_lr(), settings_.alpha());
}

}  // namespace leco
