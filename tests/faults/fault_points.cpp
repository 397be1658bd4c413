// The body of fault_point() for leco_faults: LECO_FAULT=rank:step:point:kind breaks this process, once, where
// and how it says; several stand with commas between them. `step` counts from 1, 0 is before the first;
// `point` is a name below, with .N behind it the N-th time it is reached in that step; `kind` is kill, exit,
// hang, pause (two seconds), wait, nan, enospc, or a signal: sigterm, sigint, sigusr1.
//
// `wait` waits for the tester, so that what a test does meanwhile comes neither too early nor too late: the
// rank makes the file RANK, with its process id, in the folder LECO_GATE, and goes on when that is taken
// away; when a signal asks it to stop meanwhile, it makes RANK.signal. Once a file `open` is there it does
// not wait at all.
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "comm/job.h"
#include "core/error.h"
#include "core/fault.h"
#include "launcher/stop_signal.h"

namespace leco {
namespace {

constexpr std::array<std::string_view, 20> kNames = {
    "start",       "weight",      "step",       "rollout",     "gradient",    "message",     "merge",
    "updated",     "metrics",     "saved",      "drawing",     "picture",     "measure",     "file-made",
    "file-filled", "file-synced", "file-named", "folder-made", "folder-done", "folder-named"};

struct Wanted {
  int rank = -1;
  int64_t step = 0;
  std::string point, kind;
  int64_t time = 1;  // in that step, from 1
};

std::string take_part(std::string& text) {
  const size_t colon = text.find(':');
  std::string part = text.substr(0, colon);
  text = colon == std::string::npos ? "" : text.substr(colon + 1);
  return part;
}

Wanted wanted_of(std::string text) {
  Wanted wanted;
  wanted.rank = std::stoi(take_part(text));
  wanted.step = std::stoll(take_part(text));
  wanted.point = take_part(text);
  wanted.kind = take_part(text);
  if (const size_t dot = wanted.point.find('.'); dot != std::string::npos) {
    wanted.time = std::stoll(wanted.point.substr(dot + 1));
    wanted.point.resize(dot);
  }
  bool known = false;
  for (const std::string_view name : kNames) known |= name == wanted.point;
  if (!known) throw_usage("LECO_FAULT: there is no point '" + wanted.point + "'");
  return wanted;
}

std::vector<Wanted> read_wanted() {
  const char* given = std::getenv("LECO_FAULT");
  std::istringstream all(given == nullptr ? "" : given);
  std::vector<Wanted> wanted;
  for (std::string one; std::getline(all, one, ',');) wanted.push_back(wanted_of(one));
  return wanted;
}

void wait_for_tester() {
  namespace fs = std::filesystem;
  const char* folder = std::getenv("LECO_GATE");
  if (folder == nullptr) throw_usage("LECO_FAULT: 'wait' needs a folder in LECO_GATE");
  const fs::path gate = folder, here = gate / std::to_string(job_rank()), signal = here.string() + ".signal";
  if (fs::exists(gate / "open")) return;
  const fs::path made = here.string() + ".new";  // so that nobody finds it without its contents
  std::ofstream(made) << getpid();
  fs::rename(made, here);
  while (fs::exists(here) && !fs::exists(gate / "open")) {
    usleep(5000);
    if (stop_signal() != 0 && !fs::exists(signal)) std::ofstream(signal) << stop_signal();
  }
}

Fault break_here(const std::string& kind) {
  if (kind == "nan") return Fault::kNotFinite;
  if (kind == "enospc") return Fault::kNoSpace;
  if (kind == "kill") raise(SIGKILL);
  if (kind == "exit") std::_Exit(7);
  for (const auto& [name, signal] : {std::pair("sigterm", SIGTERM), {"sigint", SIGINT}, {"sigusr1", SIGUSR1}})
    if (kind == name) return raise(signal), Fault::kNone;
  if (kind == "pause") return sleep(2), Fault::kNone;
  if (kind == "wait") return wait_for_tester(), Fault::kNone;
  if (kind != "hang") throw_usage("LECO_FAULT: '" + kind + "' is no kind of fault");
  for (;;) pause();
}

}  // namespace

Fault fault_point(FaultPoint point, int64_t step) {
  static const std::vector<Wanted> all_wanted = read_wanted();
  static int64_t now = 0;
  static std::map<FaultPoint, int64_t> times;
  if (step > 0 && step != now) {
    now = step;
    times.clear();
  }
  const int64_t time = ++times[point];
  for (const Wanted& wanted : all_wanted)
    if (wanted.rank == job_rank() && wanted.step == now && wanted.time == time &&
        kNames[static_cast<size_t>(point)] == wanted.point)
      return break_here(wanted.kind);
  return Fault::kNone;
}

}  // namespace leco
