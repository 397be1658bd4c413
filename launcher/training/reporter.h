// Everything rank 0 writes and says while training: metrics, event files, progress, LoRA files, states,
// previews.
#pragma once

#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "comm/pace.h"
#include "io/claim_file.h"
#include "launcher/model/file_digests.h"
#include "report/early_sign_line.h"
#include "report/event_log.h"
#include "report/metrics_file.h"
#include "report/previews.h"
#include "report/progress_line.h"
#include "train/lora_output.h"
#include "train/run_state.h"
#include "train/trainer.h"

namespace leco {

class Reporter {
 public:
  struct Given {
    Trainer& trainer;
    Provenance provenance;  // lacks the digests until they are there
    std::shared_future<FileDigests> digests;
    const ClaimFile& claim;                // on the output
    std::optional<int64_t> resumed_steps;  // finished by an earlier start; absent: this is the first
  };
  explicit Reporter(Given given);  // usage error when the metrics file cannot be written

  // Of the last step that an earlier start finished; NaN where none did.
  double loss_before() const;
  void after_step(const StepReport& report);
  // Writes what is due after `finished_steps` steps: LoRA file, state. With a stop signal a state in any
  // case.
  void keep(int64_t finished_steps, int stop_signal);
  // All are drawn, or the run stops in between: a state then, where this step has none yet.
  void after_previews(const Previews::Drawn& drawn);
  void after_growth(const std::string& path);  // empty: nothing was drawn
  // LoRA files that are there, and the growth.
  const std::vector<std::string>& written() const { return written_; }

 private:
  const TrainSettings& settings() const { return given_.provenance.settings; }
  void find_step_files();
  void tell_early_sign(int64_t step, const EarlySign& sign);
  void keep_lora(int64_t finished_steps);
  void keep_state(int64_t finished_steps);
  void tell_stop(int64_t finished_steps, int stop_signal) const;
  void check_claim() const;
  void remove_old_files(int64_t step);

  Given given_;
  MetricsFile metrics_;
  std::optional<EventLog> events_;
  EarlySignJudge judge_;
  ProgressLine progress_;
  std::vector<std::string> written_;
  std::deque<std::pair<int64_t, std::string>> step_files_;  // of steps before the last
  std::optional<int64_t> kept_state_ = {};                  // of that step last, by this start
  Pace saving_pace_;
};

}  // namespace leco
