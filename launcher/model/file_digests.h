// The checksums of the files that a training starts from, which states and LoRA files record.
#pragma once

#include <future>
#include <string>
#include <utility>
#include <vector>

#include "pipeline/base_model.h"

namespace leco {

// WeightFile::name, or "network_weights" for --network_weights, and the file's SHA-256.
using FileDigests = std::vector<std::pair<std::string, std::string>>;

// Reading a model's bytes again takes seconds, so it happens beside the first steps. Usage error, from get(),
// when a file cannot be read.
std::shared_future<FileDigests> digest_in_background(std::vector<WeightFile> files);

}  // namespace leco
