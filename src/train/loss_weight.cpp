#include "train/loss_weight.h"

#include <algorithm>

namespace leco {

LossWeight::LossWeight(const TrainSettings& settings, Prediction prediction)
    : prediction_(prediction), min_snr_gamma_(settings.min_snr_gamma) {}

// Hang et al., "Efficient Diffusion Training via Min-SNR Weighting Strategy", 2023: x0's squared error counts
// min(SNR, gamma) times. It is the noise's squared error divided by SNR, and v's divided by SNR + 1.
double LossWeight::at(int64_t timestep) const {
  if (min_snr_gamma_ == 0) return 1.0;
  const double snr = schedule_.snr(static_cast<int>(timestep));
  return std::min(snr, min_snr_gamma_) / (prediction_ == Prediction::kEpsilon ? snr : snr + 1);
}

}  // namespace leco
