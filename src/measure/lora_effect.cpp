#include "measure/lora_effect.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "core/fault.h"
#include "diffusion/rollout.h"
#include "model/to_device.h"
#include "plan/shares.h"

namespace leco {
namespace {

using torch::Tensor;

size_t add_distinct(std::vector<std::string>& list, const std::string& prompt) {
  const auto found = std::ranges::find(list, prompt);
  if (found != list.end()) return found - list.begin();
  list.push_back(prompt);
  return list.size() - 1;
}

Tensor as_vector(const Tensor& difference) {
  return difference.flatten().to(torch::kFloat64);
}

double scalar_product(const Tensor& a, const Tensor& b) {
  return a.dot(b).item<double>();
}

}  // namespace

struct LoraEffect::Place {
  std::string target;
  Resolution size;
  std::vector<const PromptDirection*> directions;
  std::vector<std::string> poles;  // their ends, each once
  std::vector<std::string> asked;  // where the LoRA is looked at: the target, then the preserve prompts
  std::vector<size_t> preserve;    // the place of each preserve prompt among them

  // What no scale changes, for each of this rank's points.
  struct Frozen {
    Tensor x;                    // (1, 4, h, w)
    Tensor still;                // ε of the prompts asked, (A, 4, h, w)
    std::vector<Tensor> wanted;  // d of each direction, a vector in double
  };
  std::vector<Frozen> frozen = {};
};

// One row a quantity, one column a point; 0 at other ranks' points.
struct LoraEffect::BySample {
  Tensor numbers;  // (Q, M) double
  BySample(int64_t quantities, int64_t samples)
      : numbers(at::zeros({quantities, samples}, torch::kFloat64)) {}
  double& at(int64_t quantity, const MeasurePoint& point) {
    return numbers.data_ptr<double>()[quantity * numbers.size(1) + point.index];
  }
};

LoraEffect::LoraEffect(Request request, Given given)
    : request_(std::move(request)), given_(std::move(given)) {
  const std::vector<MeasurePoint> points = measure_points(request_.samples);
  std::vector<double> costs;  // in U-Net calls
  for (const MeasurePoint& point : points)
    costs.push_back(static_cast<double>(point.k) + static_cast<double>(request_.scales.size()) + 1);
  const auto shares = share_out(costs, given_.comm.size());
  for (const int64_t index : shares[given_.comm.rank()]) own_points_.push_back(points[index]);

  for (const PromptDirection& direction : request_.directions) {
    auto place = std::ranges::find_if(places_, [&](const Place& known) {
      return known.target == direction.target && known.size == direction.resolution;
    });
    if (place == places_.end()) {
      place = places_.insert(place, Place{.target = direction.target,
                                          .size = direction.resolution,
                                          .directions = {},
                                          .poles = {},
                                          .asked = {direction.target},
                                          .preserve = {}});
      for (const std::string& prompt : request_.preserve)
        place->preserve.push_back(add_distinct(place->asked, prompt));
    }
    place->directions.push_back(&direction);
    add_distinct(place->poles, direction.positive);
    add_distinct(place->poles, direction.negative);
  }
}

LoraEffect::~LoraEffect() = default;

std::vector<std::string> LoraEffect::prompts(const Request& request) {
  std::vector<std::string> prompts = request.preserve;
  for (const PromptDirection& direction : request.directions)
    prompts.insert(prompts.end(), {direction.target, direction.positive, direction.negative});
  return prompts;
}

Tensor LoraEffect::roll_out(const Place& place, const MeasurePoint& point) const {
  const torch::Device device = given_.model.unet.placement().device;
  const Sampler sampler({.kind = SamplerKind::kDdpm, .steps = kMeasureSteps, .prediction = given_.prediction},
                        NoiseSchedule(given_.zero_terminal_snr));
  RolloutBatch batch{.latents = to_device(initial_noise(point, request_.seed, place.size), device),
                     .noise = to_device(sampler_noise(point, request_.seed, place.size), device)};
  batch.stops = {{point.k}};
  batch.prompts = given_.model.embeddings.at(place.target).context.unsqueeze(0);
  batch.multipliers = {1.0};
  batch.lora_from = -1;  // off at every timestep
  batch.added = uncropped(given_.model, {place.target}, place.size);
  return leco::roll_out(given_.model.unet, sampler, batch, /*guidance=*/1.0).front();
}

// Over points, in their order: the same on every rank. Each number comes from one rank and the others give
// zeros, so the ranks' sum is exact.
std::vector<double> LoraEffect::sums(BySample& numbers, const std::string& where) const {
  given_.comm.all_reduce(numbers.numbers, Reduce::kSum);
  std::vector<double> sums;
  const auto at = numbers.numbers.accessor<double, 2>();
  for (int64_t quantity = 0; quantity < at.size(0); ++quantity) {
    double sum = 0;
    for (int64_t point = 0; point < at.size(1); ++point) sum += at[quantity][point];
    if (!std::isfinite(sum))
      throw_usage(fmt::format("the model's prediction {} is not finite (NaN or infinity)", where));
    sums.push_back(sum);
  }
  return sums;
}

bool LoraEffect::is_left_off() const {
  return std::ranges::max(given_.comm.all_gather(given_.stop())) != 0;
}

bool LoraEffect::measure_model() {
  const int64_t directions = std::ssize(request_.directions), preserve = std::ssize(request_.preserve);
  BySample squares(directions + preserve * std::ssize(places_), request_.samples);
  int64_t row = 0, preserve_row = directions;
  for (Place& place : places_) {
    given_.progress(fmt::format("the base model at '{}': {} points", place.target, request_.samples));
    const PromptPredictions poles(given_.model, place.poles, place.size, adapters_off());
    const PromptPredictions asked(given_.model, place.asked, place.size, adapters_off());
    for (const MeasurePoint& point : own_points_) {
      if (given_.stop() != 0) break;
      fault_point(FaultPoint::kMeasure);
      const Tensor x = roll_out(place, point);
      auto& frozen = place.frozen.emplace_back(Place::Frozen{x, asked(x, point.timestep), {}});
      const Tensor at_poles = poles(x, point.timestep);
      for (int64_t i = 0; i < std::ssize(place.directions); ++i) {
        const PromptDirection& direction = *place.directions[i];
        const auto end = [&](const std::string& prompt) {
          return at_poles[std::ranges::find(place.poles, prompt) - place.poles.begin()];
        };
        frozen.wanted.push_back(
            as_vector((end(direction.positive) - end(direction.negative)) * direction.sign));
        squares.at(row + i, point) = scalar_product(frozen.wanted.back(), frozen.wanted.back());
      }
      for (int64_t i = 0; i < preserve; ++i) {
        const Tensor still = as_vector(frozen.still[static_cast<int64_t>(place.preserve[i])]);
        squares.at(preserve_row + i, point) = scalar_product(still, still);
      }
    }
    row += std::ssize(place.directions);
    preserve_row += preserve;
  }
  if (is_left_off()) return false;
  const std::vector<double> total = sums(squares, "without the LoRA");
  for (int64_t i = 0; i < directions; ++i) wanted_square_ += total[i];
  if (wanted_square_ == 0)
    throw_usage(
        "the ends of every direction give the model's very same prediction, so there is no direction to "
        "measure along; look at the prompts of --prompts_file");
  still_squares_.assign(preserve, 0.0);
  for (int64_t place = 0; place < std::ssize(places_); ++place)
    for (int64_t i = 0; i < preserve; ++i)
      still_squares_[i] +=
          static_cast<double>(places_[place].directions.size()) * total[directions + place * preserve + i];
  return true;
}

std::optional<ScaleMeasures> LoraEffect::measure_scale(double scale) const {
  enum { kAlong, kSquare, kAcross, kPerDirection };
  const int64_t directions = std::ssize(request_.directions), preserve = std::ssize(request_.preserve);
  BySample numbers(kPerDirection * directions + preserve * std::ssize(places_), request_.samples);
  int64_t row = 0, preserve_row = kPerDirection * directions;
  for (const Place& place : places_) {
    const PromptPredictions asked(given_.model, place.asked, place.size, {.on = true, .multiplier = scale});
    for (size_t own = 0; own < own_points_.size(); ++own) {
      if (given_.stop() != 0) break;
      fault_point(FaultPoint::kMeasure);
      const MeasurePoint& point = own_points_[own];
      const Place::Frozen& frozen = place.frozen[own];
      const Tensor change = asked(frozen.x, point.timestep) - frozen.still;
      const Tensor moved = as_vector(change[0]);  // Δ at the target
      for (int64_t i = 0; i < std::ssize(place.directions); ++i) {
        const Tensor& wanted = frozen.wanted[i];
        const double along = scalar_product(moved, wanted), square = scalar_product(wanted, wanted);
        const Tensor across = square == 0 ? moved : moved - wanted * (along / square);
        const int64_t first = (row + i) * kPerDirection;
        numbers.at(first + kAlong, point) = along;
        numbers.at(first + kSquare, point) = scalar_product(moved, moved);
        numbers.at(first + kAcross, point) = scalar_product(across, across);
      }
      for (int64_t i = 0; i < preserve; ++i) {
        const Tensor drifted = as_vector(change[static_cast<int64_t>(place.preserve[i])]);
        numbers.at(preserve_row + i, point) = scalar_product(drifted, drifted);
      }
    }
    row += std::ssize(place.directions);
    preserve_row += preserve;
  }
  if (is_left_off()) return std::nullopt;
  const std::vector<double> total =
      sums(numbers, fmt::format("with the LoRA at scale {} (take smaller --scales)", scale));
  double along = 0, square = 0, across = 0;
  for (int64_t i = 0; i < directions; ++i) {
    along += total[i * kPerDirection + kAlong];
    square += total[i * kPerDirection + kSquare];
    across += total[i * kPerDirection + kAcross];
  }
  ScaleMeasures measures;
  measures.scale = scale;
  measures.response = along / wanted_square_;
  if (square > 0) {
    measures.cosine = along / std::sqrt(square * wanted_square_);
    measures.off_axis = std::sqrt(across / square);
  }
  for (int64_t i = 0; i < preserve; ++i) {
    double drifted = 0;
    for (int64_t place = 0; place < std::ssize(places_); ++place)
      drifted += static_cast<double>(places_[place].directions.size()) *
                 total[kPerDirection * directions + place * preserve + i];
    measures.drift.emplace_back(request_.preserve[i], std::sqrt(drifted / still_squares_[i]));
  }
  return measures;
}

std::vector<ScaleMeasures> LoraEffect::measure() {
  if (!measure_model()) return {};
  std::vector<ScaleMeasures> all;
  for (const double scale : request_.scales) {
    if (scale != 0) {
      given_.progress(fmt::format("the LoRA at scale {}", scale));
      const std::optional<ScaleMeasures> measures = measure_scale(scale);
      if (!measures) return {};
      all.push_back(*measures);
      continue;
    }
    ScaleMeasures still;
    for (const std::string& prompt : request_.preserve) still.drift.emplace_back(prompt, 0.0);
    all.push_back(still);
  }
  return all;
}

}  // namespace leco
