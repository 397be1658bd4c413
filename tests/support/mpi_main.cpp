// Runs the tests of one program on every rank. Rank 0 prints as usual, the others print only what fails; a
// failure on any rank makes every rank exit with 1.
#include "tests/support/mpi_main.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>

#include "comm/watchdog.h"
#include "core/error.h"
#include "core/log.h"

namespace leco::testing {
namespace {

constexpr std::chrono::seconds kLimit{60};  // a rank that fails an assertion early leaves the others waiting

World* world_of_main = nullptr;

class FailurePrinter : public ::testing::EmptyTestEventListener {
  // Kept from here: gtest holds its lock while it reports a result, so asking it for the test would never
  // return.
  void OnTestStart(const ::testing::TestInfo& test) override {
    test_ = std::string(test.test_suite_name()) + "." + test.name();
  }

  void OnTestPartResult(const ::testing::TestPartResult& result) override {
    if (!result.failed()) return;
    std::fprintf(stderr, "[rank %d] %s\n%s:%d: %s\n", test_world().rank(), test_.c_str(),
                 result.file_name() ? result.file_name() : "", result.line_number(), result.message());
  }

  std::string test_ = "outside a test";
};

void print_only_failures() {
  auto& listeners = ::testing::UnitTest::GetInstance()->listeners();
  delete listeners.Release(listeners.default_result_printer());
  listeners.Append(new FailurePrinter);  // gtest owns it
}

int run(World& world) {
  log::start(world.rank(), world.size());
  set_collective_limit(kLimit);
  world_of_main = &world;
  if (world.rank() != 0) print_only_failures();
  const auto votes =
      world.host().split(0);  // a group of its own: no test's unfinished collective meets the vote
  const bool failed = RUN_ALL_TESTS() != 0;
  const auto failures = votes->all_gather(failed ? 1 : 0);
  return *std::max_element(failures.begin(), failures.end()) > 0 ? 1 : 0;
}

}  // namespace

World& test_world() {
  return *world_of_main;
}

}  // namespace leco::testing

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  try {
    leco::World world;
    try {
      return leco::testing::run(world);
    } catch (const std::exception& error) {
      world.host().abort(error.what(), 1);
    }
  } catch (const leco::Error& error) {
    leco::log::error(error.what());
    return static_cast<int>(error.status());
  }
}
