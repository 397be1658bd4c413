#include "train/early_sign.h"

#include <cmath>
#include <cstring>
#include <limits>

namespace leco {

using torch::Tensor;

EarlySignSums::EarlySignSums(int64_t items) : of_items_(items) {
  for (auto& sums : of_items_) sums.fill(-std::numeric_limits<double>::infinity());
}

void EarlySignSums::note(const Pack& pack, const Predictions& predictions) {
  const torch::NoGradGuard no_gradient;
  const Tensor base = predictions.untrained.to(torch::kFloat64);
  const Tensor change = predictions.trained.detach() - base, goal = predictions.goal - base;
  const auto of_items = [&](const Tensor& values) { return values.view({std::ssize(pack), -1}).sum(1); };
  const Tensor sums = at::stack({of_items(change.square()), of_items(change * goal), of_items(goal.square()),
                                 of_items(base.square())},
                                1)
                          .cpu();  // (G, 4)
  const double* of_item = sums.const_data_ptr<double>();
  for (const WorkItem& item : pack)
    for (double& sum : of_items_[item.index]) {
      if (sum < 0 && std::isinf(sum)) sum = 0;  // the first that is known of it
      sum += *of_item++;
    }
}

EarlySign EarlySignSums::share(Communicator& comm, torch::Device device) const {
  Tensor values = at::empty({std::ssize(of_items_), kSums}, torch::kFloat64);
  std::memcpy(values.data_ptr(), of_items_.data(), values.nbytes());
  values = values.to(device);
  comm.all_reduce(values, Reduce::kMax);
  values = values.cpu();
  std::array<double, kSums> total{};
  const double* of_item = values.const_data_ptr<double>();
  for (size_t item = 0; item < of_items_.size(); ++item, of_item += kSums)
    for (int sum = 0; sum < kSums; ++sum) total[sum] += of_item[sum];

  const auto ratio = [](double part, double whole) { return whole > 0 ? part / whole : 0.0; };
  return {.change = std::sqrt(ratio(total[kChange], total[kSize])),
          .cosine = ratio(total[kAlong], std::sqrt(total[kChange] * total[kGoal])),
          .progress = ratio(total[kAlong], total[kGoal]),
          .has_goal = total[kGoal] > 0};
}

std::optional<EarlySignSums> sums_when_due(const TrainSettings& settings, int64_t step, int64_t items) {
  const int64_t every = settings.early_sign_every;
  return every > 0 && (step + 1) % every == 0 ? std::optional<EarlySignSums>(items) : std::nullopt;
}

std::optional<EarlySign> shared(const std::optional<EarlySignSums>& sums, Communicator& comm,
                                torch::Device device) {
  return sums ? std::optional(sums->share(comm, device)) : std::nullopt;
}

}  // namespace leco
