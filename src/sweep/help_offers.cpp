#include "sweep/help_offers.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <sstream>

#include "core/error.h"

namespace leco {
namespace {

const std::string kAsk = "ask", kNo = "no", kCome = "come";

}  // namespace

void HelpOffers::look() {
  while (const auto letter = post_.receive()) {
    const auto& [from, text] = *letter;
    std::istringstream words(text);
    std::string what;
    words >> what;
    if (what == kAsk) {
      hear_question(from, text.substr(kAsk.size() + 1));
      continue;
    }
    LECO_ASSERT(is_asking_ && from == (group_ + ahead_) % groups_);
    is_asking_ = false;
    if (what == kNo) {
      int skip = 0;
      words >> skip;
      ahead_ = std::min(groups_, ahead_ + skip);
    } else {
      call_.emplace();
      words >> call_->run;
      for (int group = 0; words >> group;) call_->team.push_back(group);
    }
  }
}

void HelpOffers::hear_question(int from, const std::string& kind) {
  if (kind != kind_)
    refuse(from, 1);  // what others said to us, they may not say to these
  else if (is_at_work_)
    waiting_.push_back(from);
  else
    refuse(from, ahead_);
}

void HelpOffers::refuse(int group, int skip) {
  post_.send(group, fmt::format("{} {}", kNo, skip));
}

void HelpOffers::end_run() {
  decline();
  is_at_work_ = false;
}

void HelpOffers::call(size_t run, const std::vector<int>& team) {
  for (const int group : waiting_)
    post_.send(group, fmt::format("{} {} {}", kCome, run, fmt::join(team, " ")));
  waiting_.clear();
}

void HelpOffers::decline(size_t from) {
  for (size_t i = from; i < waiting_.size(); ++i) refuse(waiting_[i], 1);
  waiting_.resize(std::min(from, waiting_.size()));
}

bool HelpOffers::ask() {
  LECO_ASSERT(!is_asking_ && !is_at_work_);
  if (ahead_ >= groups_) return false;
  is_asking_ = true;
  post_.send((group_ + ahead_) % groups_, fmt::format("{} {}", kAsk, kind_));
  return true;
}

}  // namespace leco
