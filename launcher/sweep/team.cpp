#include "launcher/sweep/team.h"

#include <algorithm>
#include <utility>

#include "comm/text_message.h"

namespace leco {

SweepTeam::SweepTeam(std::unique_ptr<World> home, std::vector<std::vector<int>> ranks_of_groups, int group)
    : home_(std::move(home)),
      ranks_of_groups_(std::move(ranks_of_groups)),
      group_(group),
      groups_{group},
      files_(movable_files(home_->host())),
      parts_(*files_) {}

void SweepTeam::join(std::vector<int> groups) {
  std::vector<int> ranks;
  for (const int group : groups)
    ranks.insert(ranks.end(), ranks_of_groups_[group].begin(), ranks_of_groups_[group].end());
  // The team before ends once the new one stands: its ranks have all left it by then.
  const std::unique_ptr<World> before = std::exchange(joined_, home_->join(ranks));
  groups_ = std::move(groups);
  files_->move_to(joined_->host());
  agree_on_parts();
}

// Loading is collective, so a part that one rank lacks is loaded by all.
void SweepTeam::agree_on_parts() {
  Communicator& host = joined_->host();
  const std::string mine = parts_.contents();
  const bool differs = broadcast_text(host, mine, 0) != mine;
  if (std::ranges::max(host.all_gather(differs ? 1 : 0)) != 0) parts_.forget();
}

void SweepTeam::leave() {
  groups_ = {group_};
  files_->move_to(home_->host());
  joined_.reset();
}

void SweepTeam::recover(const std::string& error, bool is_own) {
  if (world().size() == 1) return;
  parts_.forget();
  if (is_own) world().give_up(error);
  world().renew();
  files_->move_to(world().host());
  if (is_joined()) leave();
}

}  // namespace leco
