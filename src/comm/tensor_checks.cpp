#include "comm/tensor_checks.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/error.h"

namespace leco {
namespace {

std::string describe(const torch::Tensor& tensor) {
  if (!tensor.defined()) return "an undefined tensor";
  if (tensor.layout() != torch::kStrided) return "a tensor that is not dense";
  return fmt::format("{} of shape [{}], strides [{}]", c10::toString(tensor.scalar_type()),
                     fmt::join(tensor.sizes(), ", "), fmt::join(tensor.strides(), ", "));
}

}  // namespace

void check_contiguous(std::string_view operation, const torch::Tensor& tensor) {
  const bool plain = tensor.defined() && tensor.layout() == torch::kStrided && tensor.is_contiguous() &&
                     !tensor.is_conj() && !tensor.is_neg();
  if (!plain) throw Error(fmt::format("{} takes a contiguous tensor, not {}", operation, describe(tensor)));
}

void check_reducible(const torch::Tensor& tensor) {
  check_contiguous("all_reduce", tensor);
  switch (tensor.scalar_type()) {
    case torch::kFloat32:
    case torch::kFloat64:
    case torch::kInt32:
    case torch::kInt64:
      return;
    default:
      throw Error("all_reduce takes float32, float64, int32 or int64, not " + describe(tensor));
  }
}

void check_root(int root, int size) {
  if (root < 0 || root >= size)
    throw Error(fmt::format("broadcast: root {} of a group of {} ranks", root, size));
}

void check_color(int color) {
  if (color < 0) throw Error(fmt::format("split: colour {}, must be 0 or more", color));
}

std::string name_all_reduce(const torch::Tensor& tensor, Reduce op, int size) {
  return fmt::format("all_reduce ({} of {} {}) over {} ranks", op == Reduce::kSum ? "sum" : "maximum",
                     tensor.numel(), c10::toString(tensor.scalar_type()), size);
}

std::string name_broadcast(const torch::Tensor& tensor, int root, int size) {
  return fmt::format("broadcast of {} bytes from rank {} over {} ranks", tensor.nbytes(), root, size);
}

}  // namespace leco
