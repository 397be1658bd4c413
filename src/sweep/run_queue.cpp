#include "sweep/run_queue.h"

#include <algorithm>

#include "core/error.h"

namespace leco {

std::optional<RunQueue::Taken> RunQueue::take(size_t run) {
  if (closed_.contains(run)) return std::nullopt;
  std::unique_ptr<ClaimFile> claim;
  try {
    claim = board_.claim(run);
  } catch (const Error& error) {  // of its own folder: the others have theirs
    closed_.insert(run);
    refused_.push_back({run, error.what()});
  }
  if (!claim) return std::nullopt;
  closed_.insert(run);
  return Taken{run, std::move(claim)};
}

std::optional<RunQueue::Taken> RunQueue::next() {
  while (begun_at_ < begun_.size())
    if (auto taken = take(begun_[begun_at_++])) return taken;
  for (at_ = first_free(at_); at_ < open_.size(); at_ = first_free(at_ + 1))
    if (auto taken = take(open_[at_])) {  // else somebody was faster
      ++at_;
      return taken;
    }
  return std::nullopt;
}

// The first free place at or behind `from`, or the end.
size_t RunQueue::first_free(size_t from) {
  const auto is_free = [&](size_t place) { return board_.look(open_[place]) == RunState::kFree; };
  if (from >= open_.size() || is_free(from)) return std::min(from, open_.size());
  size_t taken = from, free = open_.size();
  for (size_t step = 1; taken + step < open_.size(); step *= 2) {
    if (is_free(taken + step)) {
      free = taken + step;
      break;
    }
    taken += step;
  }
  while (free - taken > 1) {
    const size_t middle = taken + (free - taken) / 2;
    (is_free(middle) ? free : taken) = middle;
  }
  return free;
}

std::optional<RunQueue::Taken> RunQueue::next_left_over(size_t& left) {
  left = 0;
  for (const size_t run : open_) {
    if (closed_.contains(run)) continue;
    const RunState state = board_.look(run);
    if (state == RunState::kDone || state == RunState::kFailed) {
      closed_.insert(run);
      std::erase_if(waiting_, [&](const Waiting& other) { return other.run == run; });
      continue;
    }
    if (auto taken = take(run)) {
      std::erase_if(waiting_, [&](const Waiting& other) { return other.run == run; });
      return taken;
    }
    if (closed_.contains(run)) continue;
    ++left;
    note_taken(run);
  }
  return std::nullopt;
}

void RunQueue::note_taken(size_t run) {
  if (alive_.contains(run)) return;
  const timespec now = board_.touched(run);
  const auto known = std::ranges::find(waiting_, run, &Waiting::run);
  if (known == waiting_.end()) {
    waiting_.push_back({run, now});
  } else if (now.tv_sec != known->touched.tv_sec || now.tv_nsec != known->touched.tv_nsec) {
    alive_.insert(run);
    waiting_.erase(known);
  }
}

}  // namespace leco
