#include "picture/palette.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <map>

#include "core/error.h"

namespace leco {
namespace {

constexpr size_t kMostColours = 256;

// The pixels whose colours share their upper five bits.
struct Bin {
  int64_t count = 0;
  std::array<int64_t, 3> sum{};
  double mean(int channel) const { return static_cast<double>(sum[channel]) / static_cast<double>(count); }
};

std::vector<Bin> count_colours(std::span<const Picture> pictures) {
  std::vector<Bin> bins(1 << 15);
  for (const Picture& picture : pictures)
    for (size_t at = 0; at < picture.rgb.size(); at += 3) {
      const uint8_t* pixel = picture.rgb.data() + at;
      Bin& bin = bins[(pixel[0] >> 3) << 10 | (pixel[1] >> 3) << 5 | pixel[2] >> 3];
      ++bin.count;
      for (int channel = 0; channel < 3; ++channel) bin.sum[channel] += pixel[channel];
    }
  std::erase_if(bins, [](const Bin& bin) { return bin.count == 0; });
  return bins;
}

// A part of the colour space that gets one entry.
struct Box {
  std::span<Bin> bins;
  int64_t count = 0;
  int channel = 0;    // in which it reaches farthest
  double extent = 0;  // how far

  explicit Box(std::span<Bin> bins_) : bins(bins_) {
    for (const Bin& bin : bins) count += bin.count;
    for (int c = 0; c < 3; ++c) {
      const auto [low, high] = std::ranges::minmax(bins, {}, [c](const Bin& bin) { return bin.mean(c); });
      const double reach = high.mean(c) - low.mean(c);
      if (reach > extent) extent = reach, channel = c;
    }
  }

  // Many pixels that differ much are worth an entry more; the root keeps small spots of a colour of their
  // own.
  double weight() const { return extent * std::sqrt(static_cast<double>(count)); }

  // At the median of the pixels; both parts hold a bin at least.
  std::pair<Box, Box> split() const {
    std::ranges::stable_sort(bins, {}, [this](const Bin& bin) { return bin.mean(channel); });
    size_t place = 0;
    for (int64_t seen = 0; place + 1 < bins.size() && 2 * (seen + bins[place].count) <= count; ++place)
      seen += bins[place].count;
    place = std::clamp<size_t>(place, 1, bins.size() - 1);
    return {Box(bins.first(place)), Box(bins.subspan(place))};
  }

  Colour mean() const {
    Colour colour;
    for (int c = 0; c < 3; ++c) {
      int64_t sum = 0;
      for (const Bin& bin : bins) sum += bin.sum[c];
      colour[c] = static_cast<uint8_t>((2 * sum + count) / (2 * count));
    }
    return colour;
  }
};

int distance(const Colour& a, const Colour& b) {
  int sum = 0;
  for (int c = 0; c < 3; ++c) sum += (a[c] - b[c]) * (a[c] - b[c]);
  return sum;
}

class NearestEntry {
 public:
  explicit NearestEntry(std::span<const Colour> palette) : palette_(palette) {
    for (size_t i = palette.size(); i-- > 0;) exact_[palette[i]] = static_cast<uint8_t>(i);
  }
  const uint8_t* exact(const Colour& colour) const {
    const auto found = exact_.find(colour);
    return found == exact_.end() ? nullptr : &found->second;
  }
  // To the middle of the colour's cube of 4 × 4 × 4: found once, then looked up.
  uint8_t near(const Colour& colour) {
    int16_t& known = known_[(colour[0] >> 2) << 12 | (colour[1] >> 2) << 6 | colour[2] >> 2];
    if (known < 0) {
      Colour middle;
      for (int c = 0; c < 3; ++c) middle[c] = static_cast<uint8_t>((colour[c] & ~3) + 2);
      known = static_cast<int16_t>(
          std::ranges::min_element(palette_, {},
                                   [&](const Colour& entry) { return distance(entry, middle); }) -
          palette_.begin());
    }
    return static_cast<uint8_t>(known);
  }

 private:
  std::span<const Colour> palette_;
  std::map<Colour, uint8_t> exact_;
  std::vector<int16_t> known_ = std::vector<int16_t>(1 << 18, -1);
};

}  // namespace

std::vector<Colour> choose_palette(std::span<const Picture> pictures) {
  std::vector<Bin> bins = count_colours(pictures);
  LECO_ASSERT(!bins.empty());
  std::vector<Box> boxes = {Box(bins)};
  while (boxes.size() < kMostColours) {
    const auto widest = std::ranges::max_element(boxes, {}, &Box::weight);
    if (widest->extent == 0) break;
    const auto [low, high] = widest->split();
    *widest = low;
    boxes.push_back(high);
  }
  std::vector<Colour> palette;
  for (const Box& box : boxes) palette.push_back(box.mean());
  return palette;
}

std::vector<uint8_t> map_to_palette(const Picture& picture, std::span<const Colour> palette) {
  NearestEntry nearest(palette);
  std::vector<uint8_t> indices;
  indices.reserve(picture.width * picture.height);
  using Row =
      std::vector<std::array<int, 3>>;  // what a row still owes, in sixteenths; one pixel more at each end
  Row here(picture.width + 2), below(picture.width + 2);
  for (int64_t y = 0; y < picture.height; ++y, std::swap(here, below)) {
    std::ranges::fill(below, std::array<int, 3>{});
    for (int64_t x = 0; x < picture.width; ++x) {
      const auto pixel = picture.row(y).subspan(3 * x, 3);
      const Colour given = {pixel[0], pixel[1], pixel[2]};
      if (const uint8_t* entry = nearest.exact(given)) {
        indices.push_back(*entry);
        continue;
      }
      Colour wanted;
      for (int c = 0; c < 3; ++c)
        wanted[c] = static_cast<uint8_t>(std::clamp(given[c] + here[x + 1][c] / 16, 0, 255));
      indices.push_back(nearest.near(wanted));
      for (int c = 0; c < 3; ++c) {
        const int off = wanted[c] - palette[indices.back()][c];
        here[x + 2][c] += 7 * off;
        below[x][c] += 3 * off;
        below[x + 1][c] += 5 * off;
        below[x + 2][c] += off;
      }
    }
  }
  return indices;
}

}  // namespace leco
