#include "report/growth_frames.h"

#include <utility>

namespace leco {

void GrowthFrames::add(Picture picture) {
  last_is_kept_ = added_++ % every_ == 0;
  last_ = std::move(picture);
  if (!last_is_kept_) return;
  kept_.push_back(last_);
  if (kept_.size() <= kMost) return;
  std::vector<Picture> half;  // kMost is even, so that the newest stays
  for (size_t i = 0; i < kept_.size(); i += 2) half.push_back(std::move(kept_[i]));
  kept_ = std::move(half);
  every_ *= 2;
}

std::vector<Picture> GrowthFrames::pictures() const {
  std::vector<Picture> all = kept_;
  if (!last_is_kept_) all.push_back(last_);
  return all;
}

}  // namespace leco
