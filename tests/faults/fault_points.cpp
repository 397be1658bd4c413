// The body of fault_point() for leco_faults: LECO_FAULT=rank:step:point:kind breaks this process, once, where
// and how it says. `step` counts from 1, 0 is before the first; `point` is a name below, with .N behind it
// the N-th time it is reached in that step; `kind` is kill, exit, hang, nan, enospc or sigterm.
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <map>
#include <string>
#include <string_view>

#include "comm/job.h"
#include "core/error.h"
#include "core/fault.h"

namespace leco {
namespace {

constexpr std::array<std::string_view, 15> kNames = {
    "step",        "rollout",    "gradient",    "message",     "merge",
    "updated",     "metrics",    "saved",       "file-made",   "file-filled",
    "file-synced", "file-named", "folder-made", "folder-done", "folder-named"};

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

Wanted read_wanted() {
  const char* given = std::getenv("LECO_FAULT");
  Wanted wanted;
  if (given == nullptr) return wanted;
  std::string text = given;
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
  if (!known) throw_usage(std::string("LECO_FAULT=") + given + ": no such point");
  return wanted;
}

Fault break_here(const std::string& kind) {
  if (kind == "nan") return Fault::kNotFinite;
  if (kind == "enospc") return Fault::kNoSpace;
  if (kind == "kill") raise(SIGKILL);
  if (kind == "exit") std::_Exit(7);
  if (kind == "sigterm") {
    raise(SIGTERM);
    return Fault::kNone;
  }
  if (kind != "hang") throw_usage("LECO_FAULT: '" + kind + "' is no kind of fault");
  for (;;) pause();
}

}  // namespace

Fault fault_point(FaultPoint point, int64_t step) {
  static const Wanted wanted = read_wanted();
  static int64_t now = 0;
  static std::map<FaultPoint, int64_t> times;
  if (step > 0 && step != now) {
    now = step;
    times.clear();
  }
  if (wanted.rank != job_rank() || wanted.step != now || kNames[static_cast<size_t>(point)] != wanted.point)
    return Fault::kNone;
  return ++times[point] == wanted.time ? break_here(wanted.kind) : Fault::kNone;
}

}  // namespace leco
