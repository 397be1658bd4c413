// One training run: steps of N work items, merged over the ranks of one group.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "comm/communicator.h"
#include "lora/lora_network.h"
#include "optim/kept_weights.h"
#include "optim/make_optimizer.h"
#include "train/device_clock.h"
#include "train/early_sign.h"
#include "train/gradient_merge.h"
#include "train/loss_scale.h"
#include "train/pack_worker.h"
#include "train/step_limit.h"
#include "train/step_message.h"

namespace leco {

struct StepReport {
  int64_t step = 0;          // finished steps, from 1
  double loss = 0;           // (1/N)·Σ of the items' losses, weights included
  double learning_rate = 0;  // used in this step
  double gradient_norm = 0;  // before clipping
  bool skipped = false;      // a scaled gradient was not finite: nothing was updated, and there is no norm
  double loss_scale = 1;     // for the next step
  PhaseSeconds seconds{};    // of the slowest rank
  std::vector<WorkItem> items;
  std::optional<EarlySign> early_sign = {};  // in every early_sign_every-th step
  int stop_signal = 0;  // a signal asks some rank to stop: all ranks are told in the same step; 0: none
};

class Trainer {
 public:
  // All of them outlive the trainer. `comm` carries tensors of the U-Net's device.
  struct Given {
    const TrainSettings& settings;  // the seed is drawn
    const std::vector<PromptPair>& pairs;
    const UNet& unet;
    const PromptEmbeddings& embeddings;
    LoraNetwork& network;
    Communicator& comm;
    Prediction prediction = Prediction::kEpsilon;
    // Whether this rank is asked to stop once this many steps are finished.
    std::function<int(int64_t)> stop_signal = [](int64_t) { return 0; };
  };
  explicit Trainer(Given given);

  // Step `step`, from 0. Collective. Throws on every rank when a rank met a non-finite number; the weights
  // are then those of the step before.
  StepReport step(int64_t step);

  // While it lives, the network holds the weights that a file or a picture takes.
  KeptWeights kept_weights() { return {*optimizer_, given_.network.weights()}; }
  LoraNetwork& network() { return given_.network; }
  const LoraNetwork& network() const { return given_.network; }
  Optimizer& optimizer() { return *optimizer_; }
  const Optimizer& optimizer() const { return *optimizer_; }

  // How evenly this start's steps were shared out: mean over greatest of what the ranks had to do, by cost
  // and in seconds.
  struct Balance {
    double expected = 1, measured = 1;
  };
  Balance balance(Communicator& host) const;  // collective

  // Part of the run's state.
  LossScale& loss_scale() { return loss_scale_; }
  const LossScale& loss_scale() const { return loss_scale_; }

 private:
  void begin(int64_t step, const StepPlan& plan);
  void agree(const StepPlan& plan, StepMessage& message, DeviceClock& clock);
  void note_balance(const StepPlan& plan, double mine, double busiest);
  // Times this rank's own work; the watchdog names it when it hangs, or takes far longer than this load did
  // so far.
  template <class Work>
  auto timed(Phase phase, double load, DeviceClock& clock, Work work);
  double load_of(const Pack& pack, Phase phase) const;
  void update(StepReport& report, DeviceClock& clock);
  void train_on(const Pack& pack, StepMessage& message, GradientMerge& merge, DeviceClock& clock);
  void note_losses(StepMessage& message, const Pack& pack, const torch::Tensor& losses) const;
  void note_gradient(StepMessage& message, const Pack& pack, double greatest) const;
  void note_fault(StepMessage& message, const char* what, const WorkItem& item) const;

  Given given_;
  PlanSettings plan_;
  PackWorker worker_;
  std::optional<EarlySignSums> early_sign_;  // in the steps that want one
  std::unique_ptr<Optimizer> optimizer_;
  LossScale loss_scale_;
  StepLimit limit_;
  std::array<Pace, kPhases> paces_;
  int64_t step_ = 0;                                                   // finished steps once this one is done
  double busy_ = 0, busiest_ = 0, mean_load_ = 0, greatest_load_ = 0;  // sums over this start's steps
};

}  // namespace leco
