#include "tests/gpu/device_watch.h"

#include <ATen/record_function.h>
#include <fmt/format.h>

#include <mutex>

namespace leco {
namespace {

using torch::Tensor;

// Copying is what they are for; the first two are how .to() and copy_() end on another device.
const std::set<std::string> kMovers = {"aten::_copy_from", "aten::_copy_from_and_resize", "aten::_to_copy",
                                       "aten::copy_", "aten::to"};

std::mutex guard;
std::set<std::string> seen;

void add_device(const Tensor& tensor, std::set<std::string>& devices) {
  if (!tensor.defined() || (tensor.is_cpu() && tensor.dim() == 0)) return;
  devices.insert(tensor.device().str());
}

std::set<std::string> devices_of(const c10::IValue& input) {
  std::set<std::string> devices;
  if (input.isTensor()) add_device(input.toTensor(), devices);
  if (input.isTensorList()) {
    for (const Tensor& each : input.toTensorList()) add_device(each, devices);
  }
  if (input.isList()) {  // of optional tensors, as indices are
    for (const c10::IValue& each : input.toListRef()) devices.merge(devices_of(each));
  }
  return devices;
}

std::unique_ptr<at::ObserverContext> note(const at::RecordFunction& call) {
  if (kMovers.contains(call.name())) return nullptr;
  std::set<std::string> devices;
  for (const c10::IValue& input : call.inputs()) devices.merge(devices_of(input));
  if (devices.size() < 2) return nullptr;
  const std::lock_guard lock(guard);
  seen.insert(fmt::format("{} of {} and {}", call.name(), *devices.begin(), *devices.rbegin()));
  return nullptr;
}

}  // namespace

DeviceWatch::DeviceWatch()
    : callback_(at::addGlobalCallback(
          at::RecordFunctionCallback(note).scopes({at::RecordScope::FUNCTION}).needsInputs(true))) {
  const std::lock_guard lock(guard);
  seen.clear();
}

DeviceWatch::~DeviceWatch() {
  at::removeCallback(callback_);
}

std::set<std::string> DeviceWatch::mixed() const {
  const std::lock_guard lock(guard);
  return seen;
}

}  // namespace leco
