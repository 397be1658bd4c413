// What the log says about the early sign, and the one warning where a run does nothing.
#pragma once

#include <cstdint>
#include <string>

#include "config/settings.h"
#include "train/trainer.h"

namespace leco {

// "early sign at step 40: predictions changed by 1.2%, cosine to the goal 0.63, 8.1% of the way".
std::string early_sign_line(int64_t step, const EarlySign& sign);

// Judges once, at the first early sign after a tenth of the run (and after the warm-up): a LoRA that has by
// then gone less than a hundredth of the way will not be seen in pictures.
class EarlySignJudge {
 public:
  // `finished_steps`: by an earlier start, which has judged what fell into them.
  explicit EarlySignJudge(const TrainSettings& settings, int64_t finished_steps = 0);

  // What to change; empty where all is well, and always after the first judgement.
  std::string judge(int64_t step, const EarlySign& sign);

 private:
  const TrainSettings& settings_;
  int64_t judged_from_;
  bool judged_ = false;
};

}  // namespace leco
