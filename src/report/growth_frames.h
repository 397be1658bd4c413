// What a training drew at several times, to be shown after each other: a bounded number of them, evenly
// apart.
#pragma once

#include <cstdint>
#include <vector>

#include "picture/picture.h"

namespace leco {

class GrowthFrames {
 public:
  static constexpr size_t kMost = 60;

  void add(Picture picture);

  // The first, every n-th after it, and the last: at most kMost + 1 of all that were added. Empty before the
  // first.
  std::vector<Picture> pictures() const;

 private:
  std::vector<Picture> kept_;
  Picture last_;
  bool last_is_kept_ = true;
  int64_t added_ = 0;
  int64_t every_ = 1;
};

}  // namespace leco
