// What `leco inspect` says of a LoRA file.
#pragma once

#include <cstdint>
#include <string>

#include "lora/lora_summary.h"

namespace leco {

struct LoraReport {
  std::string path;
  uint64_t bytes = 0;
  std::string data_hash;  // SHA-256 of the tensors' bytes, which sshs_model_hash should be
  Metadata metadata;
  LoraSummary lora;
};

std::string lora_text(const LoraReport& report);

// One object: file, bytes, layout, dtypes, ranks, alphas, weights, norm (of the whole change), modules (a
// list of objects), zero_modules (names), other_tensors, hash {stored, computed, matches}, metadata (as
// stored), settings and pairs (what we store in it, parsed; null in others' files). Numbers that are not
// finite are null.
std::string lora_json(const LoraReport& report);

}  // namespace leco
