#include "tests/gpu/stand_in_device.h"

#include <ATen/EmptyTensor.h>
#include <ATen/detail/PrivateUse1HooksInterface.h>
#include <ATen/native/CPUFallback.h>
#include <ATen/ops/_reshape_alias_native.h>
#include <ATen/ops/as_strided_native.h>
#include <ATen/ops/resize_native.h>
#include <ATen/ops/set_native.h>
#include <ATen/ops/unfold_native.h>
#include <ATen/ops/view_native.h>
#include <c10/core/CPUAllocator.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>
#include <torch/library.h>

namespace leco {
namespace {

using torch::Tensor;
using torch::jit::Stack;

constexpr c10::DispatchKeySet kKeys(c10::DispatchKey::PrivateUse1);

// Memory of the CPU under the device's name.
struct RenamedMemory final : c10::Allocator {
  c10::DataPtr allocate(size_t bytes) override {
    c10::DataPtr data = c10::GetCPUAllocator()->allocate(bytes);
    data.unsafe_set_device(stand_in_device());
    return data;
  }
  void copy_data(void* to, const void* from, size_t bytes) const override {
    default_copy_data(to, from, bytes);
  }
};

RenamedMemory& memory() {
  static RenamedMemory memory;
  return memory;
}

// One device with one stream. Autograd lets streams wait for events; here everything is done when a call
// returns.
struct Guard final : c10::impl::NoOpDeviceGuardImpl<c10::DeviceType::PrivateUse1> {
  c10::Device exchangeDevice(c10::Device) const override { return stand_in_device(); }
  c10::Device getDevice() const override { return stand_in_device(); }
  c10::Stream getStream(c10::Device device) const noexcept override {
    return c10::Stream(c10::Stream::DEFAULT, device);
  }
  c10::Stream exchangeStream(c10::Stream stream) const noexcept override { return stream; }
  void record(void**, const c10::Stream&, c10::DeviceIndex, c10::EventFlag) const override {}
  void block(void*, const c10::Stream&) const override {}
  bool queryEvent(void*) const override { return true; }
};

struct Hooks final : at::PrivateUse1HooksInterface {
  bool isBuilt() const override { return true; }
  bool isAvailable() const override { return true; }
  bool hasPrimaryContext(c10::DeviceIndex) const override { return true; }
  c10::DeviceIndex deviceCount() const override { return 1; }
};

// The same memory as a tensor of the CPU.
Tensor on_cpu(const Tensor& tensor) {
  return at::from_blob(tensor.data_ptr(), tensor.sizes(), tensor.strides(),
                       tensor.options().device(torch::kCPU));
}

torch::ScalarType type_of(const c10::IValue& argument) {
  return argument.toOptional<torch::ScalarType>().value_or(torch::kFloat32);
}

// Arguments: size, type, layout, device, whether pinned, memory format.
void empty(const c10::OperatorHandle&, Stack* stack) {
  const std::vector<c10::IValue> given = torch::jit::pop(*stack, 6);
  torch::jit::push(
      *stack, Tensor(at::detail::empty_generic(given[0].toIntVector(), &memory(), kKeys, type_of(given[1]),
                                               given[5].toOptional<at::MemoryFormat>())));
}

// Arguments: size, stride, type, layout, device, whether pinned.
void empty_strided(const c10::OperatorHandle&, Stack* stack) {
  const std::vector<c10::IValue> given = torch::jit::pop(*stack, 6);
  torch::jit::push(*stack,
                   Tensor(at::detail::empty_strided_generic(given[0].toIntVector(), given[1].toIntVector(),
                                                            &memory(), kKeys, type_of(given[2]))));
}

Tensor copy_from(const Tensor& from, const Tensor& to, bool) {
  on_cpu(to).copy_(on_cpu(from));
  return to;
}

Tensor copy_from_and_resize(const Tensor& from, const Tensor& to) {
  if (from.sizes() != to.sizes()) to.resize_(from.sizes());
  return copy_from(from, to, false);
}

// Torch's fallback does not know convolutions: they have no kernel on the CPU by the names that other devices
// are asked for.
void call_on_cpu(const char* name, const std::vector<c10::IValue>& given, Stack* stack) {
  for (const c10::IValue& each : given)
    torch::jit::push(*stack, each.isTensor() && each.toTensor().defined() ? on_cpu(each.toTensor()) : each);
  const auto operation = c10::Dispatcher::singleton().findSchemaOrThrow(name, "");
  operation.callBoxed(stack);
  for (size_t i = 0; i < operation.schema().returns().size(); ++i) {
    c10::IValue& result = torch::jit::peek(*stack, i, operation.schema().returns().size());
    if (result.toTensor().defined()) result = result.toTensor().to(stand_in_device());
  }
}

void convolution(const c10::OperatorHandle& operation, Stack* stack) {
  call_on_cpu("aten::convolution", torch::jit::pop(*stack, operation.schema().arguments().size()), stack);
}

// The CPU's takes the sizes of the bias as well, behind gradient, input and weight.
void convolution_backward(const c10::OperatorHandle& operation, Stack* stack) {
  std::vector<c10::IValue> given = torch::jit::pop(*stack, operation.schema().arguments().size());
  given.insert(given.begin() + 3, std::vector<int64_t>{given[2].toTensor().size(0)});
  call_on_cpu("aten::convolution_backward", given, stack);
}

void through_the_cpu(const c10::OperatorHandle& op, Stack* stack) {
  at::native::cpu_fallback(op, stack);
}

}  // namespace

C10_REGISTER_GUARD_IMPL(PrivateUse1, Guard)

TORCH_LIBRARY_IMPL(aten, PrivateUse1, library) {
  library.impl("empty.memory_format", torch::CppFunction::makeFromBoxedFunction<&empty>());
  library.impl("empty_strided", torch::CppFunction::makeFromBoxedFunction<&empty_strided>());
  library.impl("_copy_from", copy_from);
  library.impl("_copy_from_and_resize", copy_from_and_resize);
  library.impl("as_strided", at::native::as_strided_tensorimpl);
  library.impl("view", at::native::view);
  library.impl("_reshape_alias", at::native::_reshape_alias);
  library.impl("unfold", at::native::unfold);
  library.impl("resize_", at::native::resize_);
  library.impl("set_.source_Storage_storage_offset", at::native::set_storage_cpu_);
  library.impl("convolution_overrideable", torch::CppFunction::makeFromBoxedFunction<&convolution>());
  library.impl("convolution_backward_overrideable",
               torch::CppFunction::makeFromBoxedFunction<&convolution_backward>());
}

TORCH_LIBRARY_IMPL(_, PrivateUse1, library) {
  library.fallback(torch::CppFunction::makeFromBoxedFunction<&through_the_cpu>());
}

torch::Device stand_in_device() {
  static Hooks hooks;
  static const bool is_known = [] {
    c10::register_privateuse1_backend("stand_in");
    at::RegisterPrivateUse1HooksInterface(&hooks);
    return true;
  }();
  (void)is_known;
  return {c10::DeviceType::PrivateUse1, 0};
}

}  // namespace leco
