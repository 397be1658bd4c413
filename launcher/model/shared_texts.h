// Prompts are encoded by one rank, which alone reads and holds the encoders; what crosses to the others is a
// few hundred kilobytes a prompt instead of encoders of gigabytes.
#pragma once

#include <string>
#include <vector>

#include "comm/communicator.h"
#include "launcher/model/open_model.h"

namespace leco {

struct TextJob {
  const TrainSettings& model;  // what they say of the model
  const TextSettings& text;
  const std::vector<std::string>& prompts;
  torch::Device device;
};

// As encode_prompts(), with the same bits on every rank. Collective; `host` carries host memory. `base` is
// the job's model as all ranks have opened it.
PromptEmbeddings encode_on_reader(Communicator& host, const BaseModel& base, const TextJob& job);

}  // namespace leco
