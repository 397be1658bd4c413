#include "report/progress_line.h"

#include <fmt/format.h>

#include <cmath>
#include <cstdio>

#include "core/log.h"

namespace leco {
namespace {

constexpr double kSmoothing = 0.05;                // of the loss, which jumps with every k
constexpr std::chrono::milliseconds kRedraw(200);  // on a terminal
constexpr std::chrono::seconds kPlainLine(10);     // elsewhere: a log should stay readable

}  // namespace

std::string spoken_duration(double seconds) {
  const auto whole = static_cast<int64_t>(std::llround(seconds));
  if (whole < 60) return fmt::format("{}s", whole);
  if (whole < 3600) return fmt::format("{}m{:02}s", whole / 60, whole % 60);
  return fmt::format("{}h{:02}m", whole / 3600, whole % 3600 / 60);
}

ProgressLine::ProgressLine(int64_t total_steps, bool on_terminal)
    : total_steps_(total_steps),
      on_terminal_(on_terminal),
      start_(std::chrono::steady_clock::now()),
      last_shown_(start_) {}

ProgressLine::~ProgressLine() {
  interrupt();
}

void ProgressLine::interrupt() {
  if (drawn_) std::fputs("\n", stderr);
  drawn_ = false;
}

void ProgressLine::leave_out(double seconds) {
  start_ +=
      std::chrono::duration_cast<std::chrono::steady_clock::duration>(std::chrono::duration<double>(seconds));
}

void ProgressLine::show(const StepReport& report) {
  if (first_step_ < 0) {
    first_step_ = report.step - 1;
    smooth_loss_ = report.loss;
  }
  smooth_loss_ += kSmoothing * (report.loss - smooth_loss_);
  const auto now = std::chrono::steady_clock::now();
  const bool first_or_last = report.step == first_step_ + 1 || report.step == total_steps_;
  const bool due = on_terminal_ ? now - last_shown_ >= kRedraw : now - last_shown_ >= kPlainLine;
  if (!first_or_last && !due) return;
  last_shown_ = now;
  const std::string line = text(report, std::chrono::duration<double>(now - start_).count());
  if (!on_terminal_) return log::info(line);
  fmt::print(stderr, "\r{}\x1b[K", line);
  std::fflush(stderr);
  drawn_ = true;
}

std::string ProgressLine::text(const StepReport& report, double seconds) const {
  const double steps_per_second = static_cast<double>(report.step - first_step_) / seconds;
  const std::string rate = steps_per_second >= 1 ? fmt::format("{:.2f} steps/s", steps_per_second)
                                                 : fmt::format("{:.2f} s/step", 1 / steps_per_second);
  return fmt::format("step {}/{} ({:.0f}%)  {}  loss {:.5f}  {}  left {}", report.step, total_steps_,
                     100.0 * static_cast<double>(report.step) / static_cast<double>(total_steps_), rate,
                     smooth_loss_,
                     report.skipped ? "skipped" : fmt::format("norm {:.4f}", report.gradient_norm),
                     spoken_duration(static_cast<double>(total_steps_ - report.step) / steps_per_second));
}

}  // namespace leco
