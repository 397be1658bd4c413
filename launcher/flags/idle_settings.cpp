#include "launcher/flags/idle_settings.h"

#include <fmt/format.h>

namespace leco {

std::vector<std::string> idle_loss_settings(const TrainSettings& settings) {
  const TrainSettings defaults;
  std::vector<std::string> notices;
  const auto idle = [&](const std::string& flag, const std::string& why) {
    notices.push_back(fmt::format("--{} has no effect here: {}", flag, why));
  };
  if (settings.noise_offset_random_strength && settings.noise_offset == 0)
    idle("noise_offset_random_strength", "--noise_offset is 0");
  const bool is_huber = settings.loss_type == LossType::kHuber || settings.loss_type == LossType::kSmoothL1;
  const std::string not_huber = "only --loss_type huber and smooth_l1 take it";
  if (!is_huber && settings.huber_schedule != defaults.huber_schedule) idle("huber_schedule", not_huber);
  if (!is_huber && settings.huber_c != defaults.huber_c) idle("huber_c", not_huber);
  if (settings.huber_scale != defaults.huber_scale) {
    if (!is_huber) idle("huber_scale", not_huber);
    if (is_huber && settings.huber_schedule == HuberSchedule::kSnr)
      idle("huber_scale", "the snr schedule takes no scale, as in sd-scripts");
  }
  return notices;
}

std::vector<std::string> idle_report_settings(const TrainSettings& settings) {
  std::vector<std::string> notices;
  const auto note = [&](bool given, const char* flag, const char* why) {
    if (given) notices.push_back(fmt::format("--{} has no effect here: {}", flag, why));
  };
  if (settings.log.logging_dir.empty()) {
    const char* why = "without --logging_dir there are no event files";
    note(!settings.log.prefix.empty(), "log_prefix", why);
    note(settings.log.tracker_name != LogSettings().tracker_name, "log_tracker_name", why);
    note(settings.log.config, "log_config", why);
  }
  if (!settings.preview.is_on()) {
    const char* why = "previews are drawn with --sample_every_n_steps or --sample_at_first";
    note(!settings.preview.prompts.empty(), "sample_prompts", why);
    note(settings.preview.sampler != PreviewSettings().sampler, "sample_sampler", why);
    note(!settings.preview.vae.empty(), "vae", why);
  }
  return notices;
}

}  // namespace leco
