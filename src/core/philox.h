// Counter-based random numbers: every draw is a pure function of where it is used, never of what was drawn
// before. Generator: Philox4x32-10, Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011
// (Random123).
#pragma once

#include <array>
#include <cstdint>
#include <span>

namespace leco {

// What a random number is for. Each use has a sequence of its own; the numbers are part of the random
// contract (docs/math.md), so they never change.
enum class Purpose : uint32_t {
  kPairOrder = 1,
  kRolloutLength = 2,
  kResolution = 3,  // position 0 height, 1 width
  kCrop = 4,        // positions 0 scale, 1 top, 2 left
  kInitialLatents = 5,
  kNoiseOffset = 6,
  kSamplerNoise = 7,        // sub = rollout step, from 0
  kDropout = 8,             // sub = 4·module + kind
  kLoraInitialisation = 9,  // step = item = 0, sub = module
  kPictureLatents = 10,     // of previews and samples: step = 0, item = row of the grid
  kSweepSample = 11,        // which of a sweep's runs are taken: step = item = 0
};

// One application of the ten rounds.
std::array<uint32_t, 4> philox4x32(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key);

// The sequence of draws for one use, indexed by position.
//   key     = (seed low, seed high)
//   counter = (position / 4, item, step, purpose + 256·sub), word = position mod 4
class Draws {
 public:
  struct Use {
    Purpose purpose;
    int64_t step = 0;
    int64_t item = 0;
    int64_t sub = 0;  // 0 … 2²⁴−1
  };
  Draws(uint64_t seed, Use use);

  uint32_t word(uint64_t position) const;
  double uniform(uint64_t position) const;                    // (word + 0.5)/2³², inside (0, 1)
  uint32_t integer(uint64_t position, uint32_t count) const;  // in {0 … count−1}: (word·count) >> 32
  void fill_normal(std::span<float> out) const;    // positions 0, 1, …: Box–Muller on words 2p, 2p+1
  void fill_uniform(std::span<double> out) const;  // positions 0, 1, …

 private:
  std::array<uint32_t, 4> block(uint64_t index) const;
  std::array<uint32_t, 2> key_;
  uint32_t item_, step_, purpose_and_sub_;
};

}  // namespace leco
