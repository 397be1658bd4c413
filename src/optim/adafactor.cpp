// Shazeer & Stern, "Adafactor", 2018, as transformers.optimization.Adafactor computes it: a matrix's squared
// gradients are remembered by the means of its rows and columns.
#include <cmath>

#include "optim/make_optimizer.h"

namespace leco {
namespace {

using torch::Tensor;

Tensor root_mean_square(const Tensor& x) {
  return x.norm().div_(std::sqrt(static_cast<double>(x.numel())));
}

class Adafactor final : public Optimizer {
 public:
  Adafactor(const OptimizerSettings& settings, const OptimizerTarget& target)
      : settings_(settings), segments_(target.segments) {
    int64_t rows = 0, columns = 0;
    for (const WeightSegment& segment : segments_) {
      rows += segment.matrices * segment.rows;
      columns += segment.matrices * segment.columns;
    }
    keep("exp_avg_sq_row", rows_ = at::zeros({rows}, target.options));
    keep("exp_avg_sq_col", columns_ = at::zeros({columns}, target.options));
    if (settings.beta1) keep("exp_avg", mean_ = at::zeros({target.count()}, target.options));
    keep("step", steps_);
  }

  // As transformers' schedule reports it: the first tensor's.
  double rate_of_step(double learning_rate) const override {
    return settings_.relative_step && first_rate_.defined() ? first_rate_.item<double>() : learning_rate;
  }

 private:
  void update(Tensor& weights, Tensor& gradient, double rate) override {
    ++steps_;
    first_rate_.reset();
    int64_t row = 0, column = 0;
    for (const WeightSegment& segment : segments_) {
      const int64_t rows = segment.matrices * segment.rows, columns = segment.matrices * segment.columns;
      if (segment.rate_factor != 0) {
        const auto matrix = [&](const Tensor& flat) {
          return flat.narrow(0, segment.offset, segment.count())
              .view({segment.matrices, segment.rows, segment.columns});
        };
        Tensor w = matrix(weights);
        const Tensor used = rate_of(w, rate * segment.rate_factor);
        if (!first_rate_.defined()) first_rate_ = used;
        Tensor step =
            scaled(matrix(gradient), rows_.narrow(0, row, rows), columns_.narrow(0, column, columns));
        step.mul_(used);
        if (settings_.beta1) step = matrix(mean_).mul_(*settings_.beta1).add_(step, 1 - *settings_.beta1);
        if (settings_.weight_decay != 0) w.sub_(w * (used * settings_.weight_decay));
        w.sub_(step);
      }
      row += rows;
      column += columns;
    }
  }

  // A number on the device: it may depend on the weights' size.
  Tensor rate_of(const Tensor& w, double rate) const {
    if (settings_.relative_step)
      rate = std::min(settings_.warmup_init ? 1e-6 * steps_ : 1e-2, 1 / std::sqrt(steps_));
    if (!settings_.scale_parameter) return at::full({}, rate, w.options());
    return root_mean_square(w).clamp_min_(settings_.factor_eps[1]).mul_(rate);
  }

  // The gradient (matrices, rows, columns) over the root of its remembered squares, clipped to the threshold.
  Tensor scaled(const Tensor& g, const Tensor& row_means, const Tensor& column_means) const {
    Tensor rows = row_means.view({g.size(0), g.size(1)}), columns = column_means.view({g.size(0), g.size(2)});
    const double beta2 = 1 - std::pow(steps_, settings_.decay_rate);
    const Tensor squares = g.square().add_(settings_.factor_eps[0]);
    rows.mul_(beta2).add_(squares.mean(-1), 1 - beta2);
    columns.mul_(beta2).add_(squares.mean(-2), 1 - beta2);
    const Tensor row_factor = rows.div(rows.mean(-1, /*keepdim=*/true)).rsqrt_().unsqueeze(-1);
    Tensor step = row_factor.mul(columns.unsqueeze(-2).rsqrt()).mul_(g);
    return step.div_(root_mean_square(step).div_(settings_.clip_threshold).clamp_min_(1));
  }

  OptimizerSettings settings_;
  std::vector<WeightSegment> segments_;
  Tensor rows_, columns_;  // segment by segment, (matrices, rows) and (matrices, columns) each
  Tensor mean_;            // (n), of updates; only with beta1
  double steps_ = 0;
  Tensor first_rate_;
};

}  // namespace

std::unique_ptr<Optimizer> make_adafactor(const OptimizerSettings& settings, const OptimizerTarget& target) {
  return std::make_unique<Adafactor>(settings, target);
}

}  // namespace leco
