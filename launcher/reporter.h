// Everything rank 0 writes and says while training: metrics, progress, LoRA files.
#pragma once

#include <future>
#include <string>
#include <utility>
#include <vector>

#include "pipeline/base_model.h"
#include "report/metrics_file.h"
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
  const std::vector<std::string>& written() const { return written_; }  // LoRA files, in order

 private:
  const TrainSettings& settings() const { return provenance_.settings; }

  Trainer& trainer_;
  Provenance provenance_;
  std::shared_future<FileDigests> digests_;
  MetricsFile metrics_;
  ProgressLine progress_;
  std::vector<std::string> written_;
};

}  // namespace leco
