#include "io/state_dict.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/error.h"
#include "core/nearest_name.h"

namespace leco {
namespace {

// Names are compared letter by letter with each candidate, so hopeless ones are left out: a file may hold
// very many.
std::string nearest_of(const std::string& name, const std::vector<std::string>& candidates) {
  constexpr size_t kLengthDifference = 16;
  std::vector<std::string> similar;
  for (const std::string& candidate : candidates) {
    if (candidate.size() <= name.size() + kLengthDifference &&
        name.size() <= candidate.size() + kLengthDifference) {
      similar.push_back(candidate);
    }
  }
  return nearest_name(name, similar);
}

}  // namespace

StateDict::StateDict(std::string origin, std::vector<TensorInfo> tensors, Fetch fetch)
    : origin_(std::move(origin)), fetch_(std::move(fetch)) {
  for (TensorInfo& info : tensors) {
    std::string name = info.name;
    const bool is_new = tensors_.emplace(std::move(name), std::move(info)).second;
    LECO_ASSERT(is_new);
  }
}

const TensorInfo* StateDict::find(const std::string& name) const {
  const auto found = tensors_.find(name);
  return found == tensors_.end() ? nullptr : &found->second;
}

torch::Tensor StateDict::take(const std::string& name, const std::vector<int64_t>& shape) {
  const auto found = tensors_.find(name);
  if (found == tensors_.end()) {
    const std::string nearest = nearest_of(name, left());
    throw_usage(fmt::format("'{}' has no tensor '{}' of shape [{}]{}", origin_, name, fmt::join(shape, ", "),
                            nearest.empty() ? "" : fmt::format("; the nearest name in it is '{}'", nearest)));
  }
  if (found->second.shape != shape) {
    throw_usage(fmt::format("'{}': tensor '{}' has shape [{}], but the model needs [{}]", origin_, name,
                            fmt::join(found->second.shape, ", "), fmt::join(shape, ", ")));
  }
  const TensorInfo info = std::move(tensors_.extract(found).mapped());
  torch::Tensor tensor = fetch_(info);
  // `shape` may be that of the entry which has just gone, so it is not looked at any more.
  LECO_ASSERT(tensor.sizes() == at::IntArrayRef(info.shape) && tensor.scalar_type() == info.dtype);
  return tensor;
}

std::vector<std::string> StateDict::left() const {
  std::vector<std::string> names;
  for (const auto& [name, info] : tensors_) names.push_back(name);
  return names;
}

}  // namespace leco
