// Everything rank 0 writes and says while training: metrics, event files, progress, LoRA files, previews.
#pragma once

#include <deque>
#include <future>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "pipeline/base_model.h"
#include "report/early_sign_line.h"
#include "report/event_log.h"
#include "report/metrics_file.h"
#include "report/previews.h"
#include "report/progress_line.h"
#include "train/lora_output.h"
#include "train/trainer.h"

namespace leco {

using FileDigests = std::vector<std::pair<std::string, std::string>>;

// The SHA-256 of the files that a training starts from: the model's, and --network_weights. Reading a model's
// bytes again takes seconds, so it happens beside the first steps.
std::shared_future<FileDigests> digest_in_background(std::vector<WeightFile> files);

class Reporter {
 public:
  // `provenance` lacks the digests until they are there. Usage error when the metrics file cannot be written.
  Reporter(Trainer& trainer, Provenance provenance, std::shared_future<FileDigests> digests);

  void after_step(const StepReport& report);
  void after_previews(const Previews::Drawn& drawn);
  void after_growth(const std::string& path);  // empty: nothing was drawn
  const std::vector<std::string>& written() const {
    return written_;
  }  // LoRA files that are there, and the growth

 private:
  const TrainSettings& settings() const { return provenance_.settings; }
  void tell_early_sign(int64_t step, const EarlySign& sign);

  Trainer& trainer_;
  Provenance provenance_;
  std::shared_future<FileDigests> digests_;
  MetricsFile metrics_;
  std::optional<EventLog> events_;
  EarlySignJudge judge_;
  ProgressLine progress_;
  void remove_old_files(int64_t step);

  std::vector<std::string> written_;
  std::deque<std::pair<int64_t, std::string>> step_files_;  // of steps before the last
};

}  // namespace leco
