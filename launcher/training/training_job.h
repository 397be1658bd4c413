// One training, made ready: everything that the user can have got wrong is found before the first step.
#pragma once

#include <future>
#include <memory>
#include <optional>
#include <vector>

#include "comm/world.h"
#include "config/prompt_pair.h"
#include "io/claim_file.h"
#include "io/file_source.h"
#include "launcher/flags/flag_table.h"
#include "launcher/model/model_parts.h"
#include "launcher/training/reporter.h"
#include "launcher/training/resume.h"
#include "pipeline/base_model.h"
#include "sample/drawing.h"
#include "text/prompt_embeddings.h"

namespace leco {

struct TrainingJob {
  TrainSettings settings;  // nothing is left open
  std::vector<PromptPair> pairs;
  std::string prompts_name;  // that the metadata gets
  const BaseModel* model;
  std::string start_anew;  // advice where the state that is there has other settings
  torch::Device device;
  std::string device_kind;                       // of all ranks
  std::unique_ptr<ClaimFile> claim = {};         // on the output; rank 0 only
  std::shared_future<FileDigests> digests = {};  // rank 0 only
  std::optional<Resumption> resumption = {};
  std::vector<DrawingRow> preview_rows = {};
  PromptEmbeddings embeddings = {};

  int64_t first_step() const { return resumption ? resumption->record.step : 0; }
  Provenance provenance() const;  // without the digests of the model's files; points into this job
};

// Reads prompts and the model's outline, takes the output, finds what to resume, encodes the prompts, and
// logs the notices. Usage errors leave nothing behind but an empty output folder. Collective.
TrainingJob prepare_training(const ParsedTrain& parsed, World& world, FileSource& files, ModelParts& parts);

}  // namespace leco
