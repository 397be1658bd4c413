// A run's curves and pictures for TensorBoard.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "config/settings.h"
#include "report/event_file.h"
#include "train/trainer.h"

namespace leco {

class EventLog {
 public:
  // The folder is logging_dir/<log_prefix><time of start>/<log_tracker_name>, as with sd-scripts. `settings`
  // are shown as a text with --log_config. Usage error when it cannot be written.
  EventLog(const LogSettings& log, const std::vector<std::pair<std::string, std::string>>& settings);

  // loss, lr (sd-scripts' names); grad_norm, seconds/<phase>; early_sign/change, cosine, progress where there
  // is one.
  void write(const StepReport& report);

  // preview/<index>, and what the previews of the step took.
  void preview(int64_t step, int64_t index, const Picture& picture, const std::string& png);
  void preview_seconds(int64_t step, double seconds);

  const std::string& path() const { return file_.path(); }

 private:
  EventFile file_;
};

}  // namespace leco
