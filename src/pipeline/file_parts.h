// What a single file of Stable Diffusion is made of, told by the names in it.
#pragma once

#include <string>
#include <vector>

#include "io/state_dict.h"

namespace leco {

enum class PartKind {
  kUNet,
  kText,
  kVae,
  kEma,       // a second copy of the weights, averaged over the training; no program draws with it
  kSchedule,  // betas and what follows from them, step counters: constants of the training
  kUnknown,
};

PartKind part_kind(const std::string& name);

// A part and what of the file belongs to it; every tensor belongs to one.
struct FilePart {
  PartKind kind;
  std::string what;  // "U-Net", "text encoder", "VAE", …
  std::vector<std::string> names = {};
  int64_t numbers = 0;
};

// Those that the file has, in the order of PartKind.
std::vector<FilePart> parts_of(const StateDict& outline);

}  // namespace leco
