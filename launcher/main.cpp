// The process: starts the world, runs one subcommand, and is the only place that catches.
#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <thread>
#include <vector>

#include "core/log.h"
#include "launcher/process.h"
#include "launcher/subcommand.h"

namespace {

using namespace leco;

ExitStatus dispatch(World& world, const std::vector<std::string>& words) {
  const std::span<const std::string> arguments = std::span(words).subspan(1);
  if (words[0] == "train") return train_command(world, arguments);
  throw_usage(fmt::format("unknown subcommand '{}'; there are: train (leco --help)", words[0]));
}

// The user's mistakes, and what all ranks agreed on, are thrown on every rank: rank 0 speaks for all.
int fail(World& world, const std::string& what, ExitStatus status, bool on_every_rank) {
  if (on_every_rank && world.rank() != 0) std::this_thread::sleep_for(std::chrono::seconds(2));
  if (world.size() > 1) world.host().abort(what, static_cast<int>(status));
  log::error(what);
  return static_cast<int>(status);
}

int run(const std::vector<std::string>& words) {
  World world;
  log::start(world.rank(), world.size());
  try {
    return static_cast<int>(dispatch(world, words));
  } catch (const Error& error) {
    return fail(world, error.what(), error.status(), error.on_every_rank());
  } catch (const std::exception& error) {
    return fail(world, error.what(), ExitStatus::kFailure, false);
  }
}

}  // namespace

int main(int count, char** values) {
  prepare_process();
  const std::vector<std::string> words(values + 1, values + count);
  if (words.empty() || words[0] == "--help" || words[0] == "-h")
    return std::fputs(program_help().c_str(), stdout), words.empty() ? 2 : 0;
  if (words[0] == "--version") return std::fputs(version_text().c_str(), stdout), 0;
  try {
    return run(words);
  } catch (const Error& error) {  // the world itself could not be started
    log::error(error.what());
    return static_cast<int>(error.status());
  }
}
