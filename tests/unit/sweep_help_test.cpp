// Help between groups of a sweep: who asks whom, that nobody waits for ever, and when it pays.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <deque>
#include <map>
#include <memory>
#include <random>

#include "sweep/help_offers.h"
#include "sweep/help_worth.h"

namespace leco {
namespace {

// Texts between groups of one process.
struct Mail {
  std::map<int, std::deque<std::pair<int, std::string>>> boxes;
  std::map<int, int> questions_by;
  int sent = 0;
};

class BoxPost final : public HelpPost {
 public:
  BoxPost(Mail& mail, int group) : mail_(mail), group_(group) {}
  void send(int group, const std::string& text) override {
    mail_.boxes[group].emplace_back(group_, text);
    mail_.questions_by[group_] += text.starts_with("ask");
    ++mail_.sent;
  }
  std::optional<std::pair<int, std::string>> receive() override {
    auto& box = mail_.boxes[group_];
    if (box.empty()) return std::nullopt;
    auto letter = std::move(box.front());
    box.pop_front();
    return letter;
  }

 private:
  Mail& mail_;
  int group_;
};

// A group as the crews are: at work on one run, then free, then perhaps with another group, then finished.
struct Group {
  enum class State { kAtWork, kFree, kHelps, kFinished };
  Group(Mail& mail, int number, int groups, std::string kind, int steps)
      : post(mail, number), offers(post, number, groups, std::move(kind)), number(number), steps_left(steps) {
    if (steps == 0)
      state = State::kFree;
    else
      offers.begin_run();
  }

  // Becomes free, or asks, or finishes. What comes back is the group that it begins to help.
  std::optional<int> turn() {
    offers.look();
    if (state != State::kFree || !offers.has_answer()) return std::nullopt;
    if (const auto call = offers.take_call()) {
      EXPECT_EQ(call->team.front(), static_cast<int>(call->run));
      EXPECT_EQ(std::ranges::count(call->team, number), 1);
      state = State::kHelps;
      return static_cast<int>(call->run);
    }
    if (!offers.ask()) state = State::kFinished;
    return std::nullopt;
  }

  BoxPost post;
  HelpOffers offers;
  int number, steps_left;
  State state = State::kAtWork;
  std::vector<int> helpers = {};
};

struct Outcome {
  int sent = 0, most_questions = 0, joined = 0;
};

// `answers`: what a group at work says to those that wait: 0 no, 1 come, 2 nothing yet; at random.
Outcome simulate(const std::vector<int>& steps, const std::vector<std::string>& kinds,
                 const std::vector<int>& answers, unsigned seed) {
  using enum Group::State;
  std::mt19937 random(seed);
  Mail mail;
  std::vector<std::unique_ptr<Group>> groups;
  const int count = static_cast<int>(steps.size());
  for (int i = 0; i < count; ++i)
    groups.push_back(std::make_unique<Group>(mail, i, count, kinds[static_cast<size_t>(i)],
                                             steps[static_cast<size_t>(i)]));
  Outcome outcome;
  const auto step = [&](Group& group) {
    const int answer = answers[random() % answers.size()];
    if (const auto waiting = group.offers.waiting(); !waiting.empty() && answer == 1) {
      std::vector<int> team = {group.number};
      team.insert(team.end(), group.helpers.begin(), group.helpers.end());
      team.insert(team.end(), waiting.begin(), waiting.end());
      for (const int helper : waiting)
        EXPECT_EQ(kinds[static_cast<size_t>(helper)], kinds[static_cast<size_t>(group.number)]);
      group.helpers.assign(team.begin() + 1, team.end());
      group.offers.call(static_cast<size_t>(group.number), team);
    } else if (answer == 0) {
      group.offers.decline();
    }
    // A run does not end before those that were called have come.
    for (const int helper : group.helpers)
      if (groups[static_cast<size_t>(helper)]->state != kHelps) return;
    if (--group.steps_left > 0) return;
    group.offers.end_run();
    group.state = kFree;
    for (const int helper : std::exchange(group.helpers, {}))
      groups[static_cast<size_t>(helper)]->state = kFree;
  };
  const auto is_finished = [&] {
    return std::ranges::all_of(groups, [](const auto& group) { return group->state == kFinished; });
  };
  for (int64_t turns = 0; !is_finished(); ++turns) {
    if (turns > 2'000'000) {
      ADD_FAILURE() << "somebody waits for ever";
      break;
    }
    Group& group = *groups[random() % groups.size()];
    outcome.joined += group.turn().has_value();
    if (group.state == kAtWork) step(group);
  }
  outcome.sent = mail.sent;
  for (const auto& [group, questions] : mail.questions_by)
    outcome.most_questions = std::max(outcome.most_questions, questions);
  for (const auto& [group, box] : mail.boxes)
    EXPECT_TRUE(box.empty()) << "a letter to " << group << " was never read";
  return outcome;
}

std::vector<std::string> alike(size_t count) {
  return std::vector<std::string>(count, "NVIDIA H100 80GB HBM3");
}

TEST(HelpOffers, EverybodyFinishesWhateverTheyAnswer) {
  for (unsigned seed = 0; seed < 200; ++seed) {
    std::mt19937 random(seed);
    std::vector<int> steps(1 + random() % 12);
    std::vector<std::string> kinds(steps.size());
    for (int& of_group : steps) of_group = static_cast<int>(random() % 20);
    for (std::string& kind : kinds) kind = random() % 4 == 0 ? "cpu" : "NVIDIA A100-SXM4-40GB";
    simulate(steps, kinds, {0, 1, 2}, seed);
    if (::testing::Test::HasFailure()) FAIL() << "seed " << seed;
  }
}

TEST(HelpOffers, AFreeGroupFindsTheOneThatWantsItAmongMany) {
  for (unsigned seed = 0; seed < 20; ++seed) {
    std::vector<int> steps(9, 0);
    steps[seed % 9] = 1000;
    EXPECT_EQ(simulate(steps, alike(9), {1}, seed).joined, 8) << seed;
  }
}

TEST(HelpOffers, MessagesDoNotGrowWithTheSquareOfTheGroups) {
  for (const size_t count : {64, 512}) {
    std::vector<int> steps(count);
    std::mt19937 random(1);
    for (int& of_group : steps) of_group = 1 + static_cast<int>(random() % 100);
    const Outcome outcome = simulate(steps, alike(count), {0, 1, 2}, 7);
    EXPECT_LT(outcome.sent, 4 * static_cast<double>(count) * std::log2(count));
    std::printf("%zu groups: %d messages, %d questions of one at most, %d came\n", count, outcome.sent,
                outcome.most_questions, outcome.joined);
  }
}

TEST(HelpOffers, RanksOfAnotherKindAreRefusedAndAskOn) {
  std::vector<std::string> kinds = {"cpu", "NVIDIA A100-SXM4-40GB", "cpu"};
  EXPECT_EQ(simulate({0, 50, 50}, kinds, {1}, 3).joined, 1);
}

HelpVerdict verdict(int64_t packs, int64_t ranks, int64_t offered, double left) {
  return judge_help(
      {.packs = packs, .ranks = ranks, .offered = offered, .seconds_left = left, .start_seconds = 10});
}

TEST(HelpWorth, OnlyWhatShortensTheBusiestRanksShareByMoreThanAStartCosts) {
  using enum HelpVerdict;
  EXPECT_EQ(verdict(1, 1, 1, 1e6), kNever);  // one pack is not divided
  EXPECT_EQ(verdict(4, 4, 4, 1e6), kNever);
  EXPECT_EQ(verdict(2, 1, 1, 41), kNow);  // half of 41 s against two starts of 10 s
  EXPECT_EQ(verdict(2, 1, 1, 39), kNever);
  EXPECT_EQ(verdict(4, 2, 1, 1e6), kLater);  // 3 ranks still have one with 2 packs
  EXPECT_EQ(verdict(4, 2, 2, 1e6), kNow);
  EXPECT_EQ(verdict(4, 1, 1, 30),
            kLater);  // 15 s are too little, three quarters of 30 s with 3 ranks more are not
  EXPECT_EQ(verdict(4, 1, 3, 30), kNow);
}

TEST(HelpWorth, ThePaceLeavesOutTheStartAndTheFirstStep) {
  RunPace pace;
  pace.begin(100);
  pace.note(40, 130);  // goes on from step 40
  EXPECT_EQ(pace.start_seconds(), 30);
  pace.note(40, 140);  // between the pictures before the first step
  EXPECT_FALSE(pace.is_known());
  pace.note(41, 150);
  EXPECT_FALSE(pace.is_known());
  pace.note(42, 152);
  pace.note(43, 154);
  ASSERT_TRUE(pace.is_known());
  EXPECT_DOUBLE_EQ(pace.seconds_left(143), 200);
  EXPECT_EQ(pace.last_step(), 43);
  pace.begin(200);  // again, with more ranks
  EXPECT_FALSE(pace.is_known());
  pace.note(43, 205);
  EXPECT_EQ(pace.start_seconds(), 30);  // the model was there already
}

}  // namespace
}  // namespace leco
