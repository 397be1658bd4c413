// Prompts are encoded by one rank, which alone reads and holds the encoders; what crosses to the others is a
// few hundred kilobytes a prompt instead of encoders of gigabytes.
#pragma once

#include <string>
#include <vector>

#include "comm/communicator.h"
#include "launcher/model/open_model.h"

namespace leco {

struct TextJob {
  const BaseModel& model;
  FileSource& files;  // that it was opened through
  const TextSettings& text;
  const std::vector<std::string>& prompts;
  torch::Device device;
};

// As encode_prompts(), with the same bits on every rank. Collective; `host` carries host memory.
PromptEmbeddings encode_on_reader(Communicator& host, const TextJob& job);

}  // namespace leco
