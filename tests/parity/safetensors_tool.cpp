// The C++ side of safetensors_python_test.py.
//   copy IN OUT   reads IN, prints a line for each tensor, writes OUT with the same contents
//   check FILE…   prints "ok" or the refusal for each file
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstdio>
#include <span>

#include "core/error.h"
#include "io/digest.h"
#include "io/safetensors.h"

namespace {

void copy(const std::string& from, const std::string& to) {
  const leco::SafetensorsFile file(from);
  leco::NamedTensors tensors;
  for (const leco::TensorInfo& info : file.header().tensors) {
    const torch::Tensor tensor = file.tensor(info);
    const std::string_view bytes(static_cast<const char*>(tensor.const_data_ptr()), tensor.nbytes());
    fmt::print("{}\t{}\t{}\t{}\n", info.name, c10::toString(tensor.scalar_type()),
               fmt::join(tensor.sizes(), ","), leco::sha256(bytes));
    tensors.emplace_back(info.name, tensor);
  }
  leco::write_safetensors(to, tensors, file.header().metadata);
}

void check(const std::string& path) {
  try {
    const leco::SafetensorsFile file(path);
    fmt::print("ok\n");
  } catch (const leco::Error& error) {
    fmt::print("{}\n", error.what());
  }
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  if (arguments.size() == 3 && arguments[0] == "copy") {
    copy(arguments[1], arguments[2]);
  } else if (arguments.size() > 1 && arguments[0] == "check") {
    for (const std::string& path : std::span(arguments).subspan(1)) check(path);
  } else {
    fmt::print(stderr, "usage: safetensors_tool copy IN OUT | check FILE...\n");
    return 2;
  }
  return 0;
}
