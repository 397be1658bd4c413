// The program's one exception type. Library code throws it; launcher/main.cpp is the only place that catches.
#pragma once

#include <stdexcept>
#include <string>

namespace leco {

// What the process reports to its caller.
enum class ExitStatus : int {
  kDone = 0,
  kFailure = 1,   // anything that is not the user's mistake
  kUsage = 2,     // the user's mistake: a flag, a file, a value
  kStopped = 85,  // stopped by a signal, state saved; a batch script requeues on it
};

class Error : public std::runtime_error {
 public:
  explicit Error(const std::string& what, ExitStatus status = ExitStatus::kFailure)
      : std::runtime_error(what), status_(status), on_every_rank_(status == ExitStatus::kUsage) {}
  ExitStatus status() const { return status_; }
  // Thrown alike on every rank, as a rule: one of them is enough to tell the user. So are usage errors.
  bool on_every_rank() const { return on_every_rank_; }

 protected:
  ExitStatus status_;
  bool on_every_rank_;
};

// What all ranks agreed on before they threw it.
class CollectiveError : public Error {
 public:
  explicit CollectiveError(const std::string& what) : Error(what) { on_every_rank_ = true; }
};

// The user's mistake. The text names the thing (file, line, key, flag), the given value and what is allowed.
[[noreturn]] void throw_usage(const std::string& what);

}  // namespace leco

// An invariant of the program itself; a failure is a bug, so the text carries the expression and the place.
#define LECO_ASSERT(expr)                                                                            \
  ((expr) ? void()                                                                                   \
          : throw ::leco::Error(std::string("internal: ") + #expr + " failed at " + __FILE__ + ":" + \
                                std::to_string(__LINE__)))
