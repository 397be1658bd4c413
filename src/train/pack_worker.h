// Executes packs: the draws, rollout, goal, prediction and loss of SPEC section 1 (docs/math.md). One
// function a line of it.
#pragma once

#include <optional>

#include "config/settings.h"
#include "diffusion/rollout.h"
#include "plan/step_plan.h"
#include "text/prompt_embeddings.h"
#include "train/difference_loss.h"
#include "train/loss_weight.h"

namespace leco {

// G items of B samples, R = G·B rows, item by item.
class PackWorker {
 public:
  struct Given {
    const TrainSettings& settings;  // the seed is drawn
    const std::vector<PromptPair>& pairs;
    const UNet& unet;
    const PromptEmbeddings& embeddings;
    Prediction prediction = Prediction::kEpsilon;
  };
  explicit PackWorker(Given given);

  // To be called once, before the U-Net computes anything else, with a pack that all ranks agree on. oneDNN
  // lays a convolution's weights out for the picture that it meets first, and the last digits of all results
  // depend on that layout: not on what a rank happens to train or draw first. Nothing happens on a GPU.
  void settle_layouts(const Pack& pack) const;

  // x_k at each point of the rollout: (rows, 4, h, w) of the items that have it, which are at_point(pack,
  // point).
  std::vector<torch::Tensor> roll_out(const Pack& pack) const;
  torch::Tensor goal(const Pack& pack, const torch::Tensor& x) const;     // y, (R, 4, h, w)
  torch::Tensor predict(const Pack& pack, const torch::Tensor& x) const;  // e, (R, 4, h, w), differentiable
  // The same with the LoRA off and without gradient: what predict() would be if nothing had been learnt.
  torch::Tensor predict_without(const Pack& pack, const torch::Tensor& x) const;
  torch::Tensor losses(
      const Pack& pack, const torch::Tensor& e,
      const torch::Tensor& y) const;  // (G), weights and the mean over an item's points included

 private:
  // A prompt that the U-Net is asked about for an item; its answers are rows of the batch, one a sample.
  struct Question {
    const WorkItem* item;
    std::string prompt;
  };
  using Questions = std::vector<Question>;
  const PromptPair& pair(const WorkItem& item) const { return given_.pairs[item.pair]; }
  double noise_offset(const WorkItem& item) const;
  torch::Tensor initial_latents(const Pack& pack) const;
  torch::Tensor sampler_noise(const Pack& pack) const;
  torch::Tensor embed(const Questions& questions) const;                     // (P, L, D)
  std::optional<AddedConditioning> added(const Questions& questions) const;  // SDXL only
  TimeFeatures time_of(const Questions& questions) const;

  Given given_;
  Sampler sampler_;
  DifferenceLoss difference_loss_;
  LossWeight loss_weight_;
  torch::Device device_;
};

}  // namespace leco
