// One training run: steps of N work items, merged over the ranks of one group.
#pragma once

#include <vector>

#include "comm/communicator.h"
#include "lora/lora_network.h"
#include "optim/adamw.h"
#include "train/device_clock.h"
#include "train/gradient_merge.h"
#include "train/loss_scale.h"
#include "train/pack_worker.h"
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
  };
  explicit Trainer(Given given);

  // Step `step`, from 0. Collective. Throws on every rank when a rank met a non-finite number; the weights
  // are then those of the step before.
  StepReport step(int64_t step);

  // Part of the run's state.
  LossScale& loss_scale() { return loss_scale_; }

 private:
  void update(torch::Tensor& gradient, StepReport& report, DeviceClock& clock);
  void note(StepMessage& message, const Pack& pack, const torch::Tensor& losses,
            double greatest_gradient) const;

  Given given_;
  PlanSettings plan_;
  PackWorker worker_;
  AdamW optimizer_;
  LossScale loss_scale_;
};

}  // namespace leco
