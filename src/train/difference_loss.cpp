#include "train/difference_loss.h"

#include <cmath>

#include "model/to_device.h"

namespace leco {

using torch::Tensor;

DifferenceLoss::DifferenceLoss(const TrainSettings& settings)
    : schedule_(settings.zero_terminal_snr),
      type_(settings.loss_type),
      huber_schedule_(settings.huber_schedule),
      huber_c_(settings.huber_c),
      huber_scale_(settings.huber_scale) {}

Tensor DifferenceLoss::operator()(const Tensor& difference, const std::vector<int64_t>& timesteps) const {
  switch (type_) {
    case LossType::kL2:
      return difference.square();
    case LossType::kL1:
      return difference.abs();
    case LossType::kHuber:
    case LossType::kSmoothL1:
      break;
  }
  return pseudo_huber(difference, timesteps);
}

double DifferenceLoss::threshold(int64_t timestep) const {
  switch (huber_schedule_) {
    case HuberSchedule::kConstant:
      return huber_scale_ * huber_c_;
    case HuberSchedule::kExponential:
      return huber_scale_ * std::pow(huber_c_, static_cast<double>(timestep) / kTrainTimesteps);
    case HuberSchedule::kSnr:
      break;
  }
  const double sigma = 1 / std::sqrt(schedule_.snr(static_cast<int>(timestep)));
  return (1 - huber_c_) / ((1 + sigma) * (1 + sigma)) + huber_c_;
}

// √(d² + c²) − c loses all digits where d is much smaller than c, as goals are near their predictions at
// first. The same is d²/(√(d² + c²) + c).
Tensor DifferenceLoss::pseudo_huber(const Tensor& difference, const std::vector<int64_t>& timesteps) const {
  std::vector<float> thresholds;
  for (const int64_t timestep : timesteps) thresholds.push_back(static_cast<float>(threshold(timestep)));
  const Tensor c = to_device(at::tensor(thresholds), difference.device()).view({-1, 1, 1, 1});
  const Tensor square = difference.square();
  const Tensor loss = 2 * square / ((square + c.square()).sqrt() + c);
  return type_ == LossType::kHuber ? c * loss : loss;
}

}  // namespace leco
