// A rank that is thrown out of a group leaves it alone; else it leaves with the others.
#include "comm/parting.h"

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <vector>

#include "core/error.h"

namespace leco {
namespace {

using Ways = std::vector<std::string>;

class Group {
 public:
  explicit Group(Ways& ways) {
    parting_.emplace(
        "end of a group", [&ways] { ways.push_back("with the others"); },
        [&ways] { ways.push_back("alone"); });
  }
  Group(Ways& ways, const std::string& failure) : Group(ways) { throw Error(failure); }

 private:
  std::optional<Parting> parting_;
};

TEST(Parting, IsDoneWithTheOthersUnlessAnExceptionTakesTheRankOut) {
  Ways ways;
  { const Group group(ways); }
  EXPECT_EQ(ways, (Ways{"with the others"}));
  const auto fail = [&](const auto& in_a_group) {
    ways.clear();
    EXPECT_THROW(in_a_group(), Error);
    EXPECT_EQ(ways, (Ways{"alone"}));
  };
  fail([&] {
    const Group group(ways);
    throw Error("no space left on device");
  });
  fail([&] {
    const auto group = std::make_unique<Group>(ways);
    throw Error("behind a pointer, as the communicators are");
  });
  fail([&] { const Group group(ways, "after the group was made"); });
}

// As when a failure is told of over a group that was made for that.
TEST(Parting, OfAGroupThatIsMadeAndLeftDuringAnExceptionIsNotAlone) {
  Ways ways;
  struct TellsAll {
    Ways& ways;
    ~TellsAll() { const Group group(ways); }
  };
  EXPECT_THROW(
      {
        const TellsAll teller{ways};
        throw Error("told to all");
      },
      Error);
  EXPECT_EQ(ways, (Ways{"with the others"}));
}

TEST(Parting, LogsWhatGoesWrongAndDoesNotThrow) {
  EXPECT_NO_THROW(Parting(
      "end of a group", [] { throw Error("the library says no"); }, [] {}));
}

}  // namespace
}  // namespace leco
