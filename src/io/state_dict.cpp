#include "io/state_dict.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <memory>

#include "core/error.h"
#include "core/fault.h"
#include "core/nearest_name.h"
#include "io/finite_check.h"

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

// What the file holds for a weight that is asked for in `shape`.
std::vector<int64_t> stored_shape(const StoredAs& stored, std::vector<int64_t> shape) {
  if (stored.transposed) std::ranges::reverse(shape);
  if (stored.parts > 1 && !shape.empty()) shape[0] *= stored.parts;
  if (stored.convolution) shape.insert(shape.end(), {1, 1});
  return shape;
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

void StateDict::keep(const std::function<bool(const std::string& name)>& belongs) {
  std::erase_if(tensors_, [&](const auto& entry) { return !belongs(entry.first); });
}

const TensorInfo* StateDict::find(const std::string& name) const {
  const auto found = tensors_.find(stored_as(name).name);
  return found == tensors_.end() ? nullptr : &found->second;
}

void StateDict::check_shape(const StoredAs& stored, const std::vector<int64_t>& expected) const {
  const auto found = tensors_.find(stored.name);
  if (found == tensors_.end()) {
    const std::string nearest = nearest_of(stored.name, left());
    throw_usage(fmt::format("'{}' has no tensor '{}' of shape [{}]{}", origin_, stored.name,
                            fmt::join(expected, ", "),
                            nearest.empty() ? "" : fmt::format("; the nearest name in it is '{}'", nearest)));
  }
  if (found->second.shape != expected) {
    throw_usage(fmt::format("'{}': tensor '{}' has shape [{}], but the model needs [{}]", origin_,
                            stored.name, fmt::join(found->second.shape, ", "), fmt::join(expected, ", ")));
  }
}

// The whole tensor, or the asked part of one that stays here until its last part is taken.
torch::Tensor StateDict::take_stored(const StoredAs& stored) {
  auto shared = shared_.find(stored.name);
  if (shared == shared_.end()) {
    const TensorInfo info = std::move(tensors_.extract(stored.name).mapped());
    torch::Tensor tensor = fetch_(info);
    LECO_ASSERT(tensor.sizes() == at::IntArrayRef(info.shape) && tensor.scalar_type() == info.dtype);
    if (stored.parts == 1) return tensor;
    shared = shared_.emplace(stored.name, Shared{std::move(tensor), stored.parts}).first;
  }
  torch::Tensor part = shared->second.whole.chunk(stored.parts)[stored.part];
  if (--shared->second.parts_left == 0) shared_.erase(shared);
  return part;
}

torch::Tensor StateDict::take(const std::string& name, const std::vector<int64_t>& shape) {
  if (problems_ == nullptr) return take_or_throw(name, shape);
  try {
    return take_or_throw(name, shape);
  } catch (const Error& error) {
    problems_->emplace_back(error.what());
    return at::empty(shape, at::TensorOptions(torch::kMeta));
  }
}

torch::Tensor StateDict::take_or_throw(const std::string& name, const std::vector<int64_t>& shape) {
  // A copy: `shape` may be that of the entry which goes when it is taken.
  const std::vector<int64_t> wanted = shape;
  const StoredAs stored = stored_as(name);
  const std::vector<int64_t> expected = stored_shape(stored, wanted);
  const auto shared = shared_.find(stored.name);
  if (shared == shared_.end() || shared->second.whole.sizes() != at::IntArrayRef(expected)) {
    check_shape(stored, expected);
  }
  torch::Tensor tensor = take_stored(stored);
  if (stored.transposed) tensor = tensor.t().contiguous();
  return tensor.view(wanted);
}

torch::Tensor StateDict::take_weight(const std::string& name, const std::vector<int64_t>& shape) {
  fault_point(FaultPoint::kWeight);
  const torch::Tensor weight = take(name, shape);
  if (!is_weight_type(weight.scalar_type())) {
    throw_usage(fmt::format(
        "'{}': tensor '{}' is stored as {}; weights are read from F16, BF16, F32 and F64, so convert the "
        "file first",
        origin_, stored_as(name).name, c10::toString(weight.scalar_type())));
  }
  if (weight.is_cpu() && !is_all_finite(weight)) {
    throw_usage(
        fmt::format("'{}': tensor '{}' holds infinite or undefined numbers; the file is damaged, or was "
                    "saved from a training that broke: get it again, or take an earlier save",
                    origin_, stored_as(name).name));
  }
  return weight;
}

std::vector<std::string> StateDict::left() const {
  std::vector<std::string> names;
  for (const auto& [name, info] : tensors_) names.push_back(name);
  return names;
}

std::map<torch::ScalarType, int64_t> StateDict::types_left() const {
  std::map<torch::ScalarType, int64_t> types;
  for (const auto& [name, info] : tensors_) ++types[info.dtype];
  return types;
}

int64_t StateDict::numbers_left() const {
  int64_t numbers = 0;
  for (const auto& [name, info] : tensors_) numbers += c10::multiply_integers(info.shape);
  return numbers;
}

StateDict join(std::vector<StateDict> files) {
  LECO_ASSERT(!files.empty());
  const std::string origin = files.front().origin();
  if (files.size() == 1) return std::move(files.front());
  const auto shards = std::make_shared<std::vector<StateDict>>(std::move(files));
  std::vector<TensorInfo> tensors;
  std::map<std::string, size_t> shard_of;
  for (size_t i = 0; i < shards->size(); ++i) {
    for (const std::string& name : (*shards)[i].left()) {
      if (!shard_of.emplace(name, i).second) {
        throw_usage(fmt::format("'{}' and '{}' both hold the tensor '{}'", (*shards)[shard_of[name]].origin(),
                                (*shards)[i].origin(), name));
      }
      tensors.push_back(*(*shards)[i].find(name));
    }
  }
  return {origin, std::move(tensors), [shards, shard_of](const TensorInfo& info) {
            return (*shards)[shard_of.at(info.name)].take(info.name, info.shape);
          }};
}

}  // namespace leco
