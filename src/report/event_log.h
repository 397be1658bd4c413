// A run's curves and pictures for TensorBoard.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "config/settings.h"
#include "report/event_file.h"
#include "train/trainer.h"

namespace leco {

class EventLog {
 public:
  // The folder is logging_dir/<log_prefix><time of start>/<log_tracker_name>, as with sd-scripts. A start
  // that goes on, and writes `again_from` that step on, writes into that of the start before it, and takes
  // back what that one wrote of these steps. `table` is shown as a text with --log_config. Usage error when
  // it cannot be written.
  EventLog(const TrainSettings& settings, std::optional<int64_t> again_from,
           const std::vector<std::pair<std::string, std::string>>& table);

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
