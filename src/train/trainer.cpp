#include "train/trainer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <span>

#include "comm/watchdog.h"
#include "core/error.h"
#include "core/fault.h"
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

// What a rank works alone; the rest of a step is waiting for others, or done by all alike.
double busy_seconds(const PhaseSeconds& seconds) {
  const auto of = [&](Phase phase) { return seconds[static_cast<size_t>(phase)]; };
  return of(Phase::kRollout) + of(Phase::kFrozen) + of(Phase::kTrain);
}

std::string describe(const WorkItem& item, const PromptPair& pair) {
  return fmt::format("item {} (k {}, t {}, target {:?}, positive {:?}, unconditional {:?}, neutral {:?})",
                     item.index, item.k, item.timestep, pair.target, pair.positive, pair.unconditional,
                     pair.neutral);
}

void stop_on_fault(const StepMessage& message, int64_t step) {  // from 1
  if (message.faulty_rank < 0) return;
  throw CollectiveError(
      fmt::format("stopped in step {}: on rank {}, {} is not a finite number; a lower --learning_rate or a "
                  "smaller guidance_scale usually helps, and the files saved before this step stay",
                  step, message.faulty_rank, message.fault));
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
      optimizer_(make_optimizer(given.settings.optimizer, {.options = given.network.weights().options(),
                                                           .segments = given.network.segments(),
                                                           .base_rate = given.settings.base_lr()})),
      loss_scale_(given.settings.mixed_precision) {
  worker_.settle_layouts(plan_step(plan_, given.pairs, 0, /*ranks=*/1).packs.front());
}

StepReport Trainer::step(int64_t step) {
  const StepPlan plan = plan_step(plan_, given_.pairs, step, given_.comm.size());
  begin(step, plan);
  StepMessage message(plan_.draws.items);
  GradientMerge merge(given_.network.gradients());
  DeviceClock clock(given_.unet.placement().device, message.seconds);
  for (const int64_t index : plan.shares[given_.comm.rank()])
    train_on(plan.packs[index], message, merge, clock);
  agree(plan, message, clock);

  StepReport report{.step = step + 1,
                    .loss = std::accumulate(message.losses.begin(), message.losses.end(), 0.0) /
                            static_cast<double>(plan_.draws.items),
                    // A skipped step leaves the schedule where it was.
                    .learning_rate = learning_rate(given_.settings, step - loss_scale_.state().skipped_steps),
                    .skipped = message.overflowed,
                    .items = items_of(plan)};
  if (!report.skipped) {
    clock.time(Phase::kMerge, [&] {
      merge.merge(given_.comm, message.greatest_gradient, std::ssize(plan.packs), plan_.draws.items);
    });
    update(report, clock);
  }
  loss_scale_.update(report.skipped);
  report.loss_scale = loss_scale_.value();
  report.early_sign = shared(early_sign_, given_.comm, given_.unet.placement().device);
  report.seconds = message.seconds;
  report.stop_signal = static_cast<int>(message.stop_signal);
  return report;
}

void Trainer::begin(int64_t step, const StepPlan& plan) {
  step_ = step + 1;
  fault_point(FaultPoint::kStep, step_);
  limit_.expect(plan.greatest_load());
  early_sign_ = sums_when_due(given_.settings, step, plan_.draws.items);
}

// What the ranks must know of each other before they merge. All of them stop where one met a fault.
void Trainer::agree(const StepPlan& plan, StepMessage& message, DeviceClock& clock) {
  message.stop_signal = given_.stop_signal(step_);
  const double mine = message.busy = busy_seconds(message.seconds);
  fault_point(FaultPoint::kMessage);
  clock.time(Phase::kMerge, [&] { message.share(given_.comm, given_.unet.placement().device); });
  stop_on_fault(message, step_);
  note_balance(plan, mine, message.busy);
  fault_point(FaultPoint::kMerge);
}

void Trainer::note_balance(const StepPlan& plan, double mine, double busiest) {
  const double greatest = plan.greatest_load();
  limit_.note(greatest, busiest);
  busy_ += mine;
  busiest_ += busiest;
  mean_load_ += greatest * plan.efficiency();
  greatest_load_ += greatest;
}

Trainer::Balance Trainer::balance(Communicator& host) const {
  if (greatest_load_ == 0 || busiest_ == 0) return {};
  const std::vector<double> busy = host.all_gather(busy_);
  const double mean = std::accumulate(busy.begin(), busy.end(), 0.0) / static_cast<double>(busy.size());
  return {.expected = mean_load_ / greatest_load_, .measured = mean / busiest_};
}

// In the unit of forward_cost().
double Trainer::load_of(const Pack& pack, Phase phase) const {
  double load = 0;
  for (const WorkItem& item : pack) {
    const Passes passes = item_passes(item, given_.pairs[item.pair], plan_.rollout_guidance);
    const int64_t count = phase == Phase::kRollout  ? passes.rollout
                          : phase == Phase::kFrozen ? passes.frozen
                                                    : passes.train;
    load += static_cast<double>(count) * forward_cost(item.resolution);
  }
  return load;
}

template <class Work>
auto Trainer::timed(Phase phase, double load, DeviceClock& clock, Work work) {
  const Watch watch = Watch::of_my_work(fmt::format("{} of step {}", phase_name(phase), step_),
                                        paces_[static_cast<size_t>(phase)], load);
  return clock.time(phase, work);
}

void Trainer::update(StepReport& report, DeviceClock& clock) {
  Tensor& gradient = given_.network.gradients();  // merged
  timed(Phase::kUpdate, 1, clock, [&] {
    if (loss_scale_.value() != 1) gradient.mul_(1 / loss_scale_.value());
    report.gradient_norm = norm_of(gradient);
    clip(gradient, report.gradient_norm, given_.settings.max_grad_norm);
    optimizer_->step(given_.network.weights(), gradient, report.learning_rate);
    report.learning_rate = optimizer_->rate_of_step(report.learning_rate);
    if (fault_point(FaultPoint::kUpdated) == Fault::kNotFinite)
      given_.network.weights().detach()[0].fill_(std::numeric_limits<float>::quiet_NaN());
  });
  const int64_t every = given_.settings.check_every;
  if (every > 0 && report.step % every == 0)
    clock.time(Phase::kUpdate, [&] { check_replicas(given_.comm, given_.network.weights(), report.step); });
}

// The pack's gradient is the sum over the points of its rollout.
void Trainer::train_on(const Pack& pack, StepMessage& message, GradientMerge& merge, DeviceClock& clock) {
  const auto latents = timed(Phase::kRollout, load_of(pack, Phase::kRollout), clock, [&] {
    fault_point(FaultPoint::kRollout);
    return worker_.roll_out(pack);
  });
  const double frozen = load_of(pack, Phase::kFrozen), trained = load_of(pack, Phase::kTrain);
  merge.next_pack();
  for (int64_t point = 0; point < std::ssize(latents); ++point) {
    const Pack there = at_point(pack, point, plan_.draws);
    const Tensor& x = latents[point];
    const Tensor y = timed(Phase::kFrozen, frozen, clock, [&] { return worker_.goal(there, x); });
    const Tensor e = timed(Phase::kTrain, trained, clock, [&] {
      const Tensor predicted = worker_.predict(there, x), losses = worker_.losses(there, predicted, y);
      (losses.sum() * loss_scale_.value()).backward();
      note_losses(message, there, losses);
      return predicted.detach();
    });
    if (early_sign_)
      timed(Phase::kFrozen, frozen, clock, [&] {
        early_sign_->note(there, {e, worker_.predict_without(there, x), y});
      });
  }
  timed(Phase::kTrain, trained, clock, [&] {
    if (fault_point(FaultPoint::kGradient) == Fault::kNotFinite)
      given_.network.gradients().fill_(std::numeric_limits<float>::quiet_NaN());
    note_gradient(message, pack, merge.greatest());
  });
}

// What is not finite is known only here, where it arose. The first of it is told.
void Trainer::note_losses(StepMessage& message, const Pack& pack, const Tensor& losses) const {
  const Tensor values = losses.detach().to(torch::kCPU, torch::kFloat64);
  const std::span<const double> of_items(values.data_ptr<double>(), pack.size());
  for (size_t i = 0; i < pack.size(); ++i) {
    if (!std::isfinite(of_items[i])) return note_fault(message, "loss", pack[i]);
    double& loss = message.losses[pack[i].index];
    loss = pack[i].point == 0 ? of_items[i] : loss + of_items[i];
  }
}

void Trainer::note_gradient(StepMessage& message, const Pack& pack, double greatest) const {
  if (!std::isfinite(greatest)) {
    if (!loss_scale_.may_overflow()) return note_fault(message, "gradient", pack[0]);
    message.overflowed = true;
    return;
  }
  message.greatest_gradient = std::max(message.greatest_gradient, greatest);
}

void Trainer::note_fault(StepMessage& message, const char* what, const WorkItem& item) const {
  message.faulty_rank = given_.comm.rank();
  if (message.fault.empty())
    message.fault = fmt::format("the {} of {}", what, describe(item, given_.pairs[item.pair]));
}

}  // namespace leco
