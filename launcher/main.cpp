// The process: starts the world, runs one subcommand, and is the only place that catches.
#include <c10/util/Exception.h>
#include <fmt/format.h>

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

// The user's mistakes, and what all ranks agreed on, are thrown on every rank: rank 0 speaks for all.
int fail(World& world, const std::string& what, ExitStatus status, bool on_every_rank) {
  if (on_every_rank && world.rank() != 0) std::this_thread::sleep_for(std::chrono::seconds(2));
  const bool is_told = world.size() == 1 || (on_every_rank && world.rank() == 0);
  if (is_told) log::error(one_line(what));
  if (world.size() > 1) world.host().abort(is_told ? "" : one_line(what), static_cast<int>(status));
  return static_cast<int>(status);
}

int run(const std::vector<std::string>& words) {
  World world;
  log::start(world.rank(), world.size());
  try {
    return static_cast<int>(dispatch(world, words));
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
