// How a group of ranks that finds no run left to take finds a group of its job that is at work and that it
// can help. The protocol alone; HelpPost carries its texts.
//
// The groups stand in a ring. A free group asks the next one, and waits for its answer before it asks
// another. A group at work answers when it knows whether more ranks pay, and at the end of its run at the
// latest; a free one answers at once, with how far around the ring it has come itself, so that those who ask
// it skip what it has asked. No is for ever: a free group found nothing left to take, so whoever is at work
// is at its last run. Hence a group asks each other one once at most, and again only whom it has helped; as a
// rule it asks a few. Everybody's waiting ends when the runs do, provided that all groups look() until all
// are free.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace leco {

class HelpPost {
 public:
  virtual ~HelpPost() = default;
  virtual void send(int group, const std::string& text) = 0;
  virtual std::optional<std::pair<int, std::string>> receive() = 0;  // from which group
};

class HelpOffers {
 public:
  // `group` is our place among `groups`. `kind`: what our ranks compute on; only equal ones work together.
  HelpOffers(HelpPost& post, int group, int groups, std::string kind)
      : post_(post), group_(group), groups_(groups), kind_(std::move(kind)) {}

  // Reads what has come, and answers what can be answered at once.
  void look();

  // A group at work: between begin_run() and end_run(), which says no to all that wait.
  void begin_run() { is_at_work_ = true; }
  void end_run();
  const std::vector<int>& waiting() const { return waiting_; }  // groups that want to help, as they came
  void call(size_t run, const std::vector<int>& team);          // all that wait come, and are in the team
  void decline(size_t from = 0);                                // those at this place in waiting() and behind

  // A free group.
  struct Call {
    size_t run = 0;
    std::vector<int> team = {};  // groups; the first is the one at work
  };
  bool ask();                                                                     // false: all have said no
  bool has_answer() const { return !is_asking_; }                                 // to what ask() asked
  std::optional<Call> take_call() { return std::exchange(call_, std::nullopt); }  // none: it was no

 private:
  void hear_question(int from, const std::string& kind);
  void refuse(int group, int skip);

  HelpPost& post_;
  int group_, groups_;
  std::string kind_;
  bool is_at_work_ = false, is_asking_ = false;
  std::vector<int> waiting_ = {};
  int ahead_ = 1;  // the group to ask next, or now, counted from ours around the ring
  std::optional<Call> call_ = {};
};

}  // namespace leco
