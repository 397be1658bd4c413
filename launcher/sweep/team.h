// The ranks that train a run together: a group of the sweep, and other groups that have come to help it with
// this run. With them goes what they have loaded.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "comm/world.h"
#include "launcher/model/kept_parts.h"
#include "train/shared_files.h"

namespace leco {

class SweepTeam {
 public:
  // `home` is the group's part of the job's world; `ranks_of_groups` are all groups' ranks of the job.
  SweepTeam(std::unique_ptr<World> home, std::vector<std::vector<int>> ranks_of_groups, int group);

  int group() const { return group_; }                  // the own, by its number
  bool is_first() const { return home_->rank() == 0; }  // of the group's ranks
  World& home() { return *home_; }

  World& world() { return joined_ ? *joined_ : *home_; }      // of all that are at work together
  Communicator& host() { return world().host(); }             // of the same
  const std::vector<int>& groups() const { return groups_; }  // these, the one whose run it is first
  const std::vector<int>& ranks_of(int group) const { return ranks_of_groups_[group]; }  // of the job
  bool is_joined() const { return joined_ != nullptr; }

  FileSource& files() { return *files_; }
  KeptParts& parts() { return parts_; }

  // All ranks of these groups go on together, ours among them. Collective over them alone. What is loaded
  // stays where all have loaded the same.
  void join(std::vector<int> groups);
  void leave();  // each group for itself again; collective over the team
  // After a failure: the own one, which the others are told, or another rank's. The group can go on
  // afterwards, alone and with nothing loaded. Collective over the team.
  void recover(const std::string& error, bool is_own);

 private:
  void agree_on_parts();

  std::unique_ptr<World> home_, joined_;
  const std::vector<std::vector<int>> ranks_of_groups_;
  const int group_;
  std::vector<int> groups_;
  std::unique_ptr<MovableFiles> files_;
  KeptParts parts_;
};

}  // namespace leco
