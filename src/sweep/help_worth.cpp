#include "sweep/help_worth.h"

#include <algorithm>

namespace leco {
namespace {

// The gain is an estimate: steps differ, and the ranks that come may have to load the model first.
constexpr double kStartsToGain = 2;

double packs_of_busiest(int64_t packs, int64_t ranks) {
  return static_cast<double>((packs + ranks - 1) / ranks);
}

}  // namespace

HelpVerdict judge_help(const HelpCase& of) {
  const auto pays = [&](int64_t ranks) {
    const double share = packs_of_busiest(of.packs, ranks) / packs_of_busiest(of.packs, of.ranks);
    return of.seconds_left * (1 - share) > kStartsToGain * of.start_seconds;
  };
  if (!pays(std::max(of.packs, of.ranks))) return HelpVerdict::kNever;
  return pays(of.ranks + of.offered) ? HelpVerdict::kNow : HelpVerdict::kLater;
}

void RunPace::begin(double now) {
  begun_ = now;
  calls_ = 0;
  first_step_ = last_step_ = 0;
}

// The first step of a start is slower than the others: it warms things up.
void RunPace::note(int64_t finished_steps, double now) {
  if (calls_ > 0 && finished_steps == last_step_) return;
  ++calls_;
  if (calls_ == 1) longest_start_ = std::max(longest_start_, now - begun_);
  if (calls_ <= 2) {
    first_step_ = finished_steps;
    first_time_ = now;
  }
  last_step_ = finished_steps;
  last_time_ = now;
}

double RunPace::seconds_left(int64_t all_steps) const {
  return static_cast<double>(all_steps - last_step_) * (last_time_ - first_time_) /
         static_cast<double>(last_step_ - first_step_);
}

}  // namespace leco
