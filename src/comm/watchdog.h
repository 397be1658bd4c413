// Ends the job when a collective does not return. A rank that dies is seen by the launcher (mpirun, srun
// --kill-on-bad-exit=1); this is for the rest: a rank that hangs, a lost node, a network that stalls.
#pragma once

#include <chrono>
#include <list>
#include <string>

#include "comm/pace.h"

namespace leco {

inline constexpr std::chrono::seconds kDefaultLimit{600};
inline constexpr std::chrono::seconds kNoLimit{0};

// How long a collective may wait before the job is given up: LECO_TIMEOUT_SECONDS if that is set (1 to
// 1000000, else a usage error), else what set_collective_limit was given, else kDefaultLimit. A rank without
// work waits in a collective for as long as the slowest rank computes, so whoever knows how long a step takes
// sets several times that.
std::chrono::seconds collective_limit();
// `usual`: seconds that the ranks wait for each other at most when all goes well; 0: not known.
void set_collective_limit(std::chrono::seconds limit, double usual = 0);

// The same for as long as it lives.
class CollectiveLimit {
 public:
  explicit CollectiveLimit(std::chrono::seconds limit);
  ~CollectiveLimit();
  CollectiveLimit(const CollectiveLimit&) = delete;
  CollectiveLimit& operator=(const CollectiveLimit&) = delete;

 private:
  std::chrono::seconds before_;
  double usual_before_;
};

// Of a rank's own work in a step. Shorter than a collective's, so that the rank that hangs is named before
// those that wait for it.
std::chrono::seconds work_limit();

// Stands still while the whole process is suspended: by a scheduler's SIGSTOP, in a debugger. The watchdog
// reads it all the time, and takes a second without a reading for such a pause.
struct AwakeClock {
  using duration = std::chrono::steady_clock::duration;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<AwakeClock>;
  static constexpr bool is_steady = true;
  static time_point now();
};

// Lives as long as an operation; the back-ends hold one in every collective. Past its limit the operation is
// named on stderr and the job ends with status 1 (job.h). Watches nest: the message also names those around
// it, so a caller can say what a collective was for: `Watch watch("merge of step 12", kNoLimit);`
class Watch {
 public:
  enum class Of { kOthers, kMyself };  // what is waited for
  explicit Watch(std::string operation, std::chrono::seconds limit = collective_limit(), Of of = Of::kOthers);
  // Of this rank's own work, of which `pace` knows what it took before, and learns what it takes now. Work
  // that takes far longer than that is told in a warning, long before its limit, and again when it is done
  // after all. Without a limit in a job of one, where nobody waits.
  static Watch of_my_work(std::string operation, Pace& pace, double load = 1);
  // Of a collective, on `rank` of its group. One that takes far longer than set_collective_limit() was told
  // is named by the first rank, which speaks for all that wait: when no rank says that its own work takes
  // long, nothing but the network is left.
  static Watch of_collective(std::string operation, int rank);
  ~Watch();
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;

  struct Wait {
    std::string operation;
    AwakeClock::time_point start;
    std::chrono::seconds limit;
    Of of = Of::kOthers;
    double usual = 0;       // seconds; 0: not known
    bool was_told = false;  // that it takes far longer
  };

 private:
  explicit Watch(Wait wait, Pace* pace = nullptr, double load = 0);

  Pace* pace_ = nullptr;  // of this rank's own work
  double load_ = 0;
  std::list<Wait>::iterator wait_;
};

// For a handler of SIGTERM: makes the watchdog log what this rank waits for, if it still waits a moment
// later. mpirun sends SIGTERM to the others when a rank was killed, so this names the operation that the
// lost rank left. Async-signal-safe.
void report_waits() noexcept;

}  // namespace leco
