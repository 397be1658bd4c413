// How a LoRA moves the model's predictions: along the wanted direction, across it, and where nothing should
// move (SPEC section 9; docs/evaluate.md says it in words).
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "comm/communicator.h"
#include "config/prompt_direction.h"
#include "diffusion/noise_schedule.h"
#include "measure/measure_point.h"
#include "measure/prompt_predictions.h"
#include "measure/scale_curve.h"

namespace leco {

// Predictions are in the model's own terms: v for a model that predicts v. Points are shared out over the
// ranks; each is computed in the same shapes wherever, and sums are added in one order, in double, so that
// the measures are the same bits for any number of ranks.
class LoraEffect {
 public:
  struct Request {
    std::vector<PromptDirection> directions;  // one or more
    std::vector<std::string> preserve;        // prompts whose pictures should stay; distinct
    std::vector<double> scales;               // ascending, distinct, holding 0
    int64_t samples = 16;                     // M
    uint64_t seed = 1;
  };
  struct Given {
    PromptPredictions::Model model;
    Prediction prediction = Prediction::kEpsilon;
    bool zero_terminal_snr = false;  // as the model's scheduler_config.json says
    Communicator& comm;              // carries host memory
    std::function<void(const std::string&)> progress = [](const std::string&) {};
    // Asked before each point; other than 0 asks all ranks to leave off, and stays.
    std::function<int()> stop = [] { return 0; };
  };
  LoraEffect(Request request, Given given);
  ~LoraEffect();
  LoraEffect(const LoraEffect&) = delete;
  LoraEffect& operator=(const LoraEffect&) = delete;

  // All prompts that are asked about.
  static std::vector<std::string> prompts(const Request& request);

  // The measures at every scale, pictures left out, of the LoRA that is attached to the U-Net. Collective.
  // Nothing when a rank was asked to leave off. Usage error where a prediction is not finite, or the ends of
  // all directions are the same to the model.
  std::vector<ScaleMeasures> measure();

 private:
  struct Place;          // a target at one picture size
  struct BySample;       // numbers by quantity and point
  bool measure_model();  // what no scale changes; false: left off
  torch::Tensor roll_out(const Place& place, const MeasurePoint& point) const;
  std::vector<double> sums(BySample& numbers, const std::string& where) const;
  std::optional<ScaleMeasures> measure_scale(double scale) const;
  bool is_left_off() const;  // collective

  Request request_;
  Given given_;
  std::vector<MeasurePoint> own_points_;  // this rank's
  std::vector<Place> places_;
  double wanted_square_ = 0;           // Σ⟨d,d⟩
  std::vector<double> still_squares_;  // Σ‖ε‖² at each preserve prompt
};

}  // namespace leco
