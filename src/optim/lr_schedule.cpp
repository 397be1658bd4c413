#include "optim/lr_schedule.h"

namespace leco {

double learning_rate(const TrainSettings& settings, int64_t step) {
  const double base = settings.base_lr();
  if (settings.lr_scheduler == LrSchedule::kConstant || step >= settings.warmup_steps()) return base;
  return base * static_cast<double>(step) / static_cast<double>(settings.warmup_steps());
}

}  // namespace leco
