#include "core/philox.h"

#include <cmath>
#include <numbers>

namespace leco {
namespace {

constexpr double kWordRange = 4294967296.0;  // 2³²

double to_uniform(uint32_t word) {
  return (word + 0.5) / kWordRange;
}

}  // namespace

std::array<uint32_t, 4> philox4x32(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    const uint64_t product0 = uint64_t{0xD2511F53} * counter[0];
    const uint64_t product1 = uint64_t{0xCD9E8D57} * counter[2];
    counter = {static_cast<uint32_t>(product1 >> 32) ^ counter[1] ^ key[0], static_cast<uint32_t>(product1),
               static_cast<uint32_t>(product0 >> 32) ^ counter[3] ^ key[1], static_cast<uint32_t>(product0)};
    key[0] += 0x9E3779B9;  // the golden ratio
    key[1] += 0xBB67AE85;  // sqrt(3) − 1
  }
  return counter;
}

Draws::Draws(uint64_t seed, Use use)
    : key_{static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)},
      item_(static_cast<uint32_t>(use.item)),
      step_(static_cast<uint32_t>(use.step)),
      purpose_and_sub_(static_cast<uint32_t>(use.purpose) + 256 * static_cast<uint32_t>(use.sub)) {}

std::array<uint32_t, 4> Draws::block(uint64_t index) const {
  return philox4x32({static_cast<uint32_t>(index), item_, step_, purpose_and_sub_}, key_);
}

uint32_t Draws::word(uint64_t position) const {
  return block(position / 4)[position % 4];
}

double Draws::uniform(uint64_t position) const {
  return to_uniform(word(position));
}

uint32_t Draws::integer(uint64_t position, uint32_t count) const {
  return static_cast<uint32_t>((uint64_t{word(position)} * count) >> 32);
}

void Draws::fill_normal(std::span<float> out) const {
  for (size_t i = 0; i < out.size(); i += 4) {
    const auto words = block(i / 4);
    for (size_t pair = 0; pair < 2; ++pair) {
      const double radius = std::sqrt(-2.0 * std::log(to_uniform(words[2 * pair])));
      const double angle = 2.0 * std::numbers::pi * to_uniform(words[2 * pair + 1]);
      const size_t at = i + 2 * pair;
      if (at < out.size()) out[at] = static_cast<float>(radius * std::cos(angle));
      if (at + 1 < out.size()) out[at + 1] = static_cast<float>(radius * std::sin(angle));
    }
  }
}

void Draws::fill_uniform(std::span<double> out) const {
  for (size_t i = 0; i < out.size(); i += 4) {
    const auto words = block(i / 4);
    for (size_t j = 0; j < 4 && i + j < out.size(); ++j) out[i + j] = to_uniform(words[j]);
  }
}

}  // namespace leco
