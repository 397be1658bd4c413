#include "train/trainer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <span>

#include "core/error.h"
#include "optim/lr_schedule.h"
#include "train/replica_check.h"

namespace leco {
namespace {

using torch::Tensor;

double norm_of(const Tensor& gradient) {
  return at::linalg_vector_norm(gradient, 2, std::nullopt, false, torch::kFloat64).item<double>();
}

// As torch.nn.utils.clip_grad_norm_.
void clip(Tensor& gradient, double norm, double greatest_norm) {
  if (greatest_norm > 0) gradient.mul_(std::min(1.0, greatest_norm / (norm + 1e-6)));
}

std::string describe(const WorkItem& item, const PromptPair& pair) {
  return fmt::format("item {} (k {}, t {}, target {:?}, positive {:?}, unconditional {:?}, neutral {:?})",
                     item.index, item.k, item.timestep, pair.target, pair.positive, pair.unconditional,
                     pair.neutral);
}

void stop_on_fault(const StepMessage& message, int64_t step) {
  if (message.faulty_rank < 0) return;
  throw CollectiveError(
      fmt::format("stopped in step {}: on rank {}, {} is not a finite number; a lower --learning_rate or a "
                  "smaller guidance_scale usually helps, and the files saved before this step stay",
                  step + 1, message.faulty_rank, message.fault));
}

std::vector<WorkItem> items_of(const StepPlan& plan) {
  std::vector<WorkItem> items;
  for (const Pack& pack : plan.packs) items.insert(items.end(), pack.begin(), pack.end());
  std::ranges::sort(items, {}, &WorkItem::index);
  return items;
}

}  // namespace

Trainer::Trainer(Given given)
    : given_(given),
      plan_(plan_settings(given.settings, given.comm.size())),
      worker_({given.settings, given.pairs, given.unet, given.embeddings, given.prediction}),
      optimizer_(given.settings.adamw, given.network.weights()),
      loss_scale_(given.settings.mixed_precision) {}

StepReport Trainer::step(int64_t step) {
  const StepPlan plan = plan_step(plan_, given_.pairs, step, given_.comm.size());
  StepMessage message(plan_.draws.items);
  GradientMerge merge;
  DeviceClock clock(given_.unet.placement().device, message.seconds);
  for (const int64_t index : plan.shares[given_.comm.rank()]) {
    const Pack& pack = plan.packs[index];
    const Tensor x = clock.time(Phase::kRollout, [&] { return worker_.roll_out(pack); });
    const Tensor y = clock.time(Phase::kFrozen, [&] { return worker_.goal(pack, x); });
    clock.time(Phase::kTrain, [&] {
      const Tensor losses = worker_.losses(pack, worker_.predict(pack, x), y);
      given_.network.zero_gradients();
      (losses.sum() * loss_scale_.value()).backward();
      note(message, pack, losses, merge.hold(given_.network.gradients()));
    });
  }
  clock.time(Phase::kMerge, [&] { message.share(given_.comm, given_.unet.placement().device); });
  stop_on_fault(message, step);

  StepReport report{.step = step + 1,
                    .loss = std::accumulate(message.losses.begin(), message.losses.end(), 0.0) /
                            static_cast<double>(plan_.draws.items),
                    // A skipped step leaves the schedule where it was.
                    .learning_rate = learning_rate(given_.settings, step - loss_scale_.state().skipped_steps),
                    .skipped = message.overflowed,
                    .items = items_of(plan)};
  if (!report.skipped) {
    Tensor gradient = clock.time(Phase::kMerge, [&] {
      return merge.merge(given_.comm, given_.network.weights(), message.greatest_gradient,
                         std::ssize(plan.packs), plan_.draws.items);
    });
    update(gradient, report, clock);
  }
  loss_scale_.update(report.skipped);
  report.loss_scale = loss_scale_.value();
  report.seconds = message.seconds;
  return report;
}

void Trainer::update(Tensor& gradient, StepReport& report, DeviceClock& clock) {
  clock.time(Phase::kUpdate, [&] {
    if (loss_scale_.value() != 1) gradient.mul_(1 / loss_scale_.value());
    report.gradient_norm = norm_of(gradient);
    clip(gradient, report.gradient_norm, given_.settings.max_grad_norm);
    optimizer_.step(given_.network.weights(), gradient, report.learning_rate);
    const int64_t every = given_.settings.check_every;
    if (every > 0 && report.step % every == 0)
      check_replicas(given_.comm, given_.network.weights(), report.step);
  });
}

// A pack's losses and greatest gradient go into the message; or what is not finite, which is known only here,
// where it arose.
void Trainer::note(StepMessage& message, const Pack& pack, const Tensor& losses,
                   double greatest_gradient) const {
  const Tensor values = losses.detach().to(torch::kCPU, torch::kFloat64);
  const std::span<const double> of_items(values.data_ptr<double>(), pack.size());
  const auto faulty = std::ranges::find_if_not(of_items, [](double loss) { return std::isfinite(loss); });
  const bool overflowed = !std::isfinite(greatest_gradient) && loss_scale_.may_overflow();
  message.overflowed |= overflowed;
  if (faulty == of_items.end() && (std::isfinite(greatest_gradient) || overflowed)) {
    for (size_t i = 0; i < pack.size(); ++i) message.losses[pack[i].index] = of_items[i];
    if (!overflowed) message.greatest_gradient = std::max(message.greatest_gradient, greatest_gradient);
    return;
  }
  message.faulty_rank = given_.comm.rank();
  if (!message.fault.empty()) return;
  const bool in_loss = faulty != of_items.end();
  const WorkItem& item = pack[in_loss ? faulty - of_items.begin() : 0];
  message.fault =
      fmt::format("the {} of {}", in_loss ? "loss" : "gradient", describe(item, given_.pairs[item.pair]));
}

}  // namespace leco
