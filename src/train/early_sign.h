// Whether the LoRA has begun to do what it is trained for, told from the items of a step: with one prediction
// more, of the target without the LoRA, it is known how far the trained one has moved from there, and whether
// towards the goal.
#pragma once

#include <torch/types.h>

#include <array>
#include <optional>
#include <vector>

#include "comm/communicator.h"
#include "config/settings.h"
#include "plan/step_plan.h"

namespace leco {

// Sums run over the elements of all items of a step: Δ = trained − untrained prediction, w = goal − untrained
// prediction.
struct EarlySign {
  double change = 0;     // sqrt(ΣΔ² / Σ(untrained prediction)²)
  double cosine = 0;     // ΣΔw / sqrt(ΣΔ²·Σw²); 0 while there is no Δ
  double progress = 0;   // ΣΔw / Σw²: the share of the way to the goal
  bool has_goal = true;  // Σw² > 0; otherwise there is nothing to learn, and cosine and progress are 0

  bool operator==(const EarlySign&) const = default;
};

class EarlySignSums {
 public:
  explicit EarlySignSums(int64_t items);

  struct Predictions {
    const torch::Tensor& trained;    // e, (R, 4, h, w)
    const torch::Tensor& untrained;  // with the LoRA off, likewise
    const torch::Tensor& goal;       // y, likewise
  };
  // Called again for an item, it adds.
  void note(const Pack& pack, const Predictions& predictions);

  // Collective. The same on every rank and for every number of ranks: each item's sums come from the one rank
  // that ran it, and are added in the items' order.
  EarlySign share(Communicator& comm, torch::Device device) const;

 private:
  enum Sum { kChange, kAlong, kGoal, kSize, kSums };
  std::vector<std::array<double, kSums>> of_items_;  // −∞ where another rank has them
};

// For the steps in which early_sign_every wants to know; `step` from 0.
std::optional<EarlySignSums> sums_when_due(const TrainSettings& settings, int64_t step, int64_t items);
std::optional<EarlySign> shared(const std::optional<EarlySignSums>& sums, Communicator& comm,
                                torch::Device device);

}  // namespace leco
