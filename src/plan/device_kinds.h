// Whether the ranks of a run compute on one kind of device. Two kinds of GPU, or of CPU, may round
// differently, and then an item's bits would depend on the rank that has it.
#pragma once

#include <string>
#include <vector>

namespace leco {

// The kinds of the ranks, in rank order ("cpu with AVX512", or a GPU's name) → each of them once, sorted,
// with " + " between them: what a LoRA file records.
std::string kinds_text(const std::vector<std::string>& kinds);

// Empty where all are alike, else "rank 0 has 'NVIDIA H100 80GB HBM3' and rank 3 'NVIDIA A100-SXM4-40GB'".
std::string kind_conflict(const std::vector<std::string>& kinds);

}  // namespace leco
