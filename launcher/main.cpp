// The process: starts the world, runs one subcommand, and is the only place that catches.
#include <c10/util/Exception.h>
#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <chrono>
#include <thread>
#include <vector>

#include "core/log.h"
#include "launcher/flags/flag_parser.h"
#include "launcher/process.h"
#include "launcher/subcommand.h"

namespace {

using namespace leco;

ExitStatus dispatch(World& world, const std::vector<std::string>& words) {
  if (words.empty()) throw_usage("no subcommand given: leco train, leco plan, leco inspect … (leco --help)");
  if (words[0] == "--help" || words[0] == "-h") return show(world, program_help());
  if (words[0] == "--version") return show(world, version_text());
  if (words[0].starts_with("-"))
    throw_usage(fmt::format("{} stands before the subcommand; write: leco train {} … (leco --help)",
                            one_line(words[0]), one_line(words[0])));
  return find_subcommand(words[0]).run(world, std::span(words).subspan(1));
}

// What a command printed must not be lost in silence, as on a full disk. A reader that has gone (`| head`)
// has what it wanted.
void check_results_arrived() {
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return;
  pollfd out{.fd = STDOUT_FILENO, .events = POLLOUT, .revents = 0};
  if (poll(&out, 1, 0) == 1 && (out.revents & POLLERR) != 0) return;  // nobody reads
  throw Error("the results could not be written to stdout; is its disk full?");
}

// One line for a person. What a message quotes from a file may be as long as the file.
std::string readable(const std::string& what) {
  constexpr size_t kHead = 3000, kTail = 1000;
  const std::string line = one_line(what);
  if (line.size() <= kHead + kTail) return line;
  const auto inside_character = [&](size_t at) { return (line[at] & 0xC0) == 0x80; };
  size_t head = kHead, tail = line.size() - kTail;
  while (head > 0 && inside_character(head)) --head;
  while (tail < line.size() && inside_character(tail)) ++tail;
  return fmt::format("{} … {}", line.substr(0, head), line.substr(tail));
}

// The user's mistakes, and what all ranks agreed on, are thrown on every rank: rank 0 speaks for all.
int fail(World& world, const std::string& what, ExitStatus status, bool on_every_rank) {
  constexpr std::chrono::seconds kForRankZero(10);  // whose terminal or node may be slow
  if (on_every_rank && world.rank() != 0) std::this_thread::sleep_for(kForRankZero);
  const bool is_told = world.size() == 1 || (on_every_rank && world.rank() == 0);
  if (is_told) log::error(readable(what));
  if (world.size() > 1) world.host().abort(is_told ? "" : readable(what), static_cast<int>(status));
  return static_cast<int>(status);
}

int run(const std::vector<std::string>& words) {
  World world;
  log::start(world.rank(), world.size());
  try {
    const ExitStatus status = dispatch(world, words);
    if (status == ExitStatus::kDone) check_results_arrived();
    std::fflush(stdout);  // before the world ends: the launcher ends all ranks at the first status but 0
    return static_cast<int>(status);
  } catch (const Error& error) {
    const bool agreed = error.on_every_rank() || error.status() == ExitStatus::kStopped;
    return fail(world, error.what(), error.status(), agreed);
  } catch (const c10::Error& error) {  // libtorch's; what() would add the stack of calls
    return fail(world, error.what_without_backtrace(), ExitStatus::kFailure, false);
  } catch (const std::exception& error) {
    return fail(world, error.what(), ExitStatus::kFailure, false);
  }
}

}  // namespace

int main(int count, char** values) {
  prepare_process();
  try {
    return run({values + 1, values + count});
  } catch (const Error& error) {  // the world itself could not be started
    log::error(error.what());
    return static_cast<int>(error.status());
  }
}
