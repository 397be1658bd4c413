// Optimizers whose state of large tensors takes 8 bits a number, as bitsandbytes' CUDA kernels compute them
// (csrc/kernels.cu, blockwise): the state is restored, the update computed in float32, and the state stored
// again. Tensors of fewer than min_8bit_size numbers keep float32, by the same formulas; there bitsandbytes
// adds Lion's weight decay to the gradient, which is not Lion's, and is not done here.
#include <cmath>

#include "optim/block_quantization.h"
#include "optim/make_optimizer.h"

namespace leco {
namespace {

using torch::Tensor;

// Numbers that are updated together: neighbours with one rate factor and one kind of state.
struct Chunk {
  Run run;
  bool is_quantized = false;
  int64_t place = 0;  // of its first number among all of its kind of state
  int64_t block = 0;  // of its first block
};

// Restored state is float32, so chunks are joined up to a bound: few passes, little memory beside the 8 bits.
constexpr int64_t kMostJoined = int64_t{1} << 20;

bool can_join(const Chunk& last, const WeightSegment& segment, bool is_quantized) {
  if (last.run.offset + last.run.count != segment.offset || last.run.rate_factor != segment.rate_factor ||
      last.is_quantized != is_quantized)
    return false;
  return !is_quantized || (last.run.count % kQuantizationBlock == 0 &&  // blocks begin at each tensor
                           last.run.count + segment.count() <= kMostJoined);
}

std::vector<Chunk> chunks_of(const std::vector<WeightSegment>& segments, int64_t least_quantized) {
  std::vector<Chunk> chunks;
  int64_t plain = 0, quantized = 0, block = 0;
  for (const WeightSegment& segment : segments) {
    if (segment.rate_factor == 0) continue;
    const int64_t count = segment.count();
    const bool is_quantized = count >= least_quantized;
    int64_t& place = is_quantized ? quantized : plain;
    if (!chunks.empty() && can_join(chunks.back(), segment, is_quantized))
      chunks.back().run.count += count;
    else
      chunks.push_back({{segment.offset, count, segment.rate_factor}, is_quantized, place, block});
    place += count;
    if (is_quantized) block += block_count(count);
  }
  return chunks;
}

// One running average.
class RunningState {
 public:
  RunningState(const std::vector<Chunk>& chunks, bool is_signed, const torch::TensorOptions& options)
      : quantizer_(is_signed, options.device()) {
    int64_t plain = 0, quantized = 0, blocks = 0;
    for (const Chunk& chunk : chunks) {
      (chunk.is_quantized ? quantized : plain) += chunk.run.count;
      if (chunk.is_quantized) blocks += block_count(chunk.run.count);
    }
    numbers = at::zeros({plain}, options);
    codes = at::zeros({quantized}, options.dtype(torch::kUInt8));
    scales = at::zeros({blocks}, options);
  }

  Tensor restore(const Chunk& chunk) const {
    if (!chunk.is_quantized) return numbers.narrow(0, chunk.place, chunk.run.count);
    return quantizer_.restore(codes_of(chunk), scales_of(chunk));
  }
  // `values` are what restore() gave, changed in place.
  void store(const Chunk& chunk, const Tensor& values) {
    if (!chunk.is_quantized) return;  // they are the state itself
    const BlockQuantizer::Stored stored = quantizer_.quantize(values);
    codes_of(chunk).copy_(stored.codes);
    scales_of(chunk).copy_(stored.scales);
  }

  Tensor numbers, codes, scales;

 private:
  Tensor codes_of(const Chunk& chunk) const { return codes.narrow(0, chunk.place, chunk.run.count); }
  Tensor scales_of(const Chunk& chunk) const {
    return scales.narrow(0, chunk.block, block_count(chunk.run.count));
  }
  BlockQuantizer quantizer_;
};

class EightBit : public Optimizer {
 protected:
  EightBit(const OptimizerSettings& settings, const OptimizerTarget& target)
      : settings_(settings),
        chunks_(chunks_of(target.segments, settings.min_8bit_size)),
        first_(chunks_, /*is_signed=*/true, target.options) {
    keep_state("state1", first_);
    keep("step", steps_);
  }

  void keep_state(const std::string& name, RunningState& state) {
    keep(name + ".numbers", state.numbers);
    keep(name + ".codes", state.codes);
    keep(name + ".scales", state.scales);
  }

  // One chunk: weights, gradient, its restored first state.
  virtual void update_chunk(const Chunk& chunk, Tensor& w, Tensor& g, Tensor& first, double rate) = 0;

  OptimizerSettings settings_;
  double steps_ = 0;  // this one included

 private:
  void update(Tensor& weights, Tensor& gradient, double rate) override {
    ++steps_;
    for (const Chunk& chunk : chunks_) {
      Tensor w = chunk.run.of(weights), g = chunk.run.of(gradient), first = first_.restore(chunk);
      update_chunk(chunk, w, g, first, rate * chunk.run.rate_factor);
      first_.store(chunk, first);
    }
  }

 protected:
  const std::vector<Chunk> chunks_;

 private:
  RunningState first_;
};

class AdamW8bit final : public EightBit {
 public:
  AdamW8bit(const OptimizerSettings& settings, const OptimizerTarget& target)
      : EightBit(settings, target), second_(chunks_, /*is_signed=*/false, target.options) {
    keep_state("state2", second_);
  }

 private:
  void update_chunk(const Chunk& chunk, Tensor& w, Tensor& g, Tensor& mean, double rate) override {
    const auto [beta1, beta2] = settings_.betas;
    const double correction1 = 1 - std::pow(beta1, steps_),
                 correction2 = std::sqrt(1 - std::pow(beta2, steps_));
    Tensor variance = second_.restore(chunk);
    variance.mul_(beta2).addcmul_(g, g, 1 - beta2);
    mean.mul_(beta1).add_(g, 1 - beta1);
    w.addcdiv_(mean, variance.sqrt().add_(correction2 * settings_.eps), -rate * correction2 / correction1);
    if (settings_.weight_decay > 0) w.mul_(1 - rate * settings_.weight_decay);
    second_.store(chunk, variance);
  }

  RunningState second_;
};

class Lion8bit final : public EightBit {
 public:
  Lion8bit(const OptimizerSettings& settings, const OptimizerTarget& target) : EightBit(settings, target) {}

 private:
  void update_chunk(const Chunk&, Tensor& w, Tensor& g, Tensor& mean, double rate) override {
    const auto [beta1, beta2] = settings_.betas;
    if (settings_.weight_decay > 0) w.mul_(1 - rate * settings_.weight_decay);
    w.add_(mean.mul(beta1).add_(g, 1 - beta1).sign_(), -rate);
    mean.mul_(beta2).add_(g, 1 - beta2);
  }
};

class Momentum8bit final : public EightBit {
 public:
  Momentum8bit(const OptimizerSettings& settings, const OptimizerTarget& target)
      : EightBit(settings, target) {}

 private:
  void update_chunk(const Chunk&, Tensor& w, Tensor& g, Tensor& momentum, double rate) override {
    if (settings_.weight_decay > 0) g.add_(w, settings_.weight_decay);
    momentum.mul_(settings_.momentum).add_(g);  // at first 0: the gradient itself
    w.add_(momentum, -rate);
  }
};

}  // namespace

std::unique_ptr<Optimizer> make_eight_bit(const OptimizerSettings& settings, const OptimizerTarget& target) {
  if (settings.kind == OptimizerKind::kAdamW8bit) return std::make_unique<AdamW8bit>(settings, target);
  if (settings.kind == OptimizerKind::kLion8bit) return std::make_unique<Lion8bit>(settings, target);
  return std::make_unique<Momentum8bit>(settings, target);
}

}  // namespace leco
