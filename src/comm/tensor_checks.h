// What every back-end demands of its arguments, so that a mistake shows with one rank as with many.
#pragma once

#include <string>
#include <string_view>

#include "comm/communicator.h"

namespace leco {

// Each throws Error and says what it was given.
void check_contiguous(std::string_view operation, const torch::Tensor& tensor);
void check_reducible(const torch::Tensor& tensor);  // contiguous, and float32/64 or int32/64
void check_root(int root, int size);
void check_color(int color);

// The operation for a person: "all_reduce (sum of 12 Long) over 4 ranks".
std::string name_all_reduce(const torch::Tensor& tensor, Reduce op, int size);
std::string name_broadcast(const torch::Tensor& tensor, int root, int size);

}  // namespace leco
