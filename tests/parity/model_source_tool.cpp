// The C++ side of checkpoint_python_test.py and hub_cache_python_test.py.
//   checkpoint FILE…        for each file a line for each tensor, then "ignored" and the names; or the
//   refusal hub ID REVISION…        for each revision the folder in the cache, or why there is none
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstdio>
#include <span>

#include "core/error.h"
#include "io/digest.h"
#include "io/hub_cache.h"
#include "io/torch_checkpoint.h"

namespace {

void print_checkpoint(const std::string& path) {
  fmt::print("file\t{}\n", path);
  try {
    const leco::TorchCheckpoint file(path);
    leco::StateDict weights = leco::LocalFileSource().open_weights(path);
    for (const leco::TensorInfo& info : file.tensors()) {
      const torch::Tensor tensor = weights.take(info.name, info.shape);
      const std::string_view bytes(static_cast<const char*>(tensor.const_data_ptr()), tensor.nbytes());
      fmt::print("tensor\t{}\t{}\t{}\t{}\n", info.name, c10::toString(tensor.scalar_type()),
                 fmt::join(tensor.sizes(), ","), leco::sha256(bytes));
    }
    fmt::print("ignored\t{}\n", fmt::join(file.ignored(), "\t"));
  } catch (const leco::Error& error) {
    fmt::print("refused\t{}\n", error.what());
  }
}

void print_snapshot(const std::string& id, const std::string& revision) {
  leco::LocalFileSource files;
  const auto folder = leco::find_in_hub_cache(files, id, leco::process_environment, revision);
  fmt::print("{}\n",
             folder ? "found\t" + *folder
                    : "missing\t" + leco::missing_from_hub_cache(id, leco::process_environment, revision));
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  if (arguments.size() > 1 && arguments[0] == "checkpoint") {
    for (const std::string& path : std::span(arguments).subspan(1)) print_checkpoint(path);
  } else if (arguments.size() > 2 && arguments[0] == "hub") {
    for (const std::string& revision : std::span(arguments).subspan(2))
      print_snapshot(arguments[1], revision);
  } else {
    fmt::print(stderr, "usage: model_source_tool checkpoint FILE... | hub ID REVISION...\n");
    return 2;
  }
  return 0;
}
