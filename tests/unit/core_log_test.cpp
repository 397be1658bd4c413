#include "core/log.h"

#include <gtest/gtest.h>

#include <atomic>
#include <fstream>
#include <regex>
#include <set>
#include <string>
#include <thread>

#include "tests/support/temporary_folder.h"

namespace leco {
namespace {

// As the watchdog's thread does, while a group of a sweep goes from run to run.
TEST(Log, lines_of_another_thread_are_whole_and_all_there_while_the_log_moves) {
  constexpr int kLines = 20'000;
  const testing::TemporaryFolder folder("leco-log");
  const std::string files[] = {folder / "a.log", folder / "b.log"};
  log::start(0, 1);
  log::divert(files[0]);
  std::atomic<bool> is_done = false;
  std::thread other([&] {
    for (int line = 0; line < kLines; ++line) log::info("line " + std::to_string(line) + " of many");
    is_done = true;
  });
  for (int move = 1; !is_done; ++move) log::divert(files[move % 2]);
  other.join();
  log::configure({});

  const std::regex whole(R"(\d\d:\d\d:\d\d info: line (\d+) of many)");
  std::multiset<int> found;
  for (const std::string& file : files) {
    std::ifstream in(file);
    for (std::string line; std::getline(in, line);) {
      std::smatch match;
      ASSERT_TRUE(std::regex_match(line, match, whole)) << line;
      found.insert(std::stoi(match[1]));
    }
  }
  EXPECT_EQ(std::ssize(found), kLines);
  EXPECT_EQ(std::ssize(std::set<int>(found.begin(), found.end())), kLines);
}

}  // namespace
}  // namespace leco
