// How far the run is, on stderr: one line that is redrawn on a terminal, plain lines now and then elsewhere.
#pragma once

#include <chrono>
#include <string>

#include "train/trainer.h"

namespace leco {

class ProgressLine {
 public:
  ProgressLine(int64_t total_steps, bool on_terminal);
  ~ProgressLine();  // leaves the terminal on a fresh line
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;

  void show(const StepReport& report);
  void interrupt();                // before something else is printed
  void leave_out(double seconds);  // of something else than steps: they do not count for the rate

 private:
  std::string text(const StepReport& report, double seconds) const;

  int64_t total_steps_;
  bool on_terminal_;
  bool drawn_ = false;
  double smooth_loss_ = 0;
  int64_t first_step_ = -1;
  std::chrono::steady_clock::time_point start_, last_shown_;
};

// 45 → "45s", 75 → "1m15s", 3700 → "1h01m".
std::string spoken_duration(double seconds);

}  // namespace leco
