#include "train/loss_weight.h"

#include <algorithm>
#include <cmath>

namespace leco {
namespace {

constexpr double kGreatestSnr = 1000;  // sd-scripts' bound in the two weights that are its own

}  // namespace

LossWeight::LossWeight(const TrainSettings& settings, Prediction prediction)
    : schedule_(settings.zero_terminal_snr),
      predicts_noise_(prediction == Prediction::kEpsilon),
      min_snr_gamma_(settings.min_snr_gamma),
      like_noise_(settings.scale_v_pred_loss_like_noise_pred),
      debiased_(settings.debiased_estimation_loss) {}

double LossWeight::at(int64_t timestep) const {
  const double snr = schedule_.snr(static_cast<int>(timestep));
  double factor = 1.0;
  if (min_snr_gamma_ != 0) factor *= of_min_snr(snr);
  if (like_noise_) factor *= of_noise_scale(std::min(snr, kGreatestSnr));
  if (debiased_) factor *= of_debiasing(std::min(snr, kGreatestSnr));
  return factor;
}

// Hang et al., "Efficient Diffusion Training via Min-SNR Weighting Strategy", 2023: x0's squared error counts
// min(SNR, gamma) times. It is the noise's squared error divided by SNR, and v's divided by SNR + 1.
double LossWeight::of_min_snr(double snr) const {
  if (predicts_noise_) return snr <= min_snr_gamma_ ? 1.0 : min_snr_gamma_ / snr;
  return std::min(snr, min_snr_gamma_) / (snr + 1);
}

// The squared error of v is that of the noise times (SNR + 1)/SNR.
double LossWeight::of_noise_scale(double snr) const {
  return snr / (snr + 1);
}

// Yu et al., "Unmasking Bias in Diffusion Model Training", 2023, gives 1/sqrt(SNR) for the noise; the form
// for v is sd-scripts'.
double LossWeight::of_debiasing(double snr) const {
  return predicts_noise_ ? 1 / std::sqrt(snr) : 1 / (snr + 1);
}

}  // namespace leco
