// Time and bytes of a state at the sizes of LoRA files: what --save_state writes with AdamW, whose two
// tensors are each as large as the LoRA, brought to the disk of FOLDER.
//   build/tests/bench/state_time FOLDER [REPEATS]
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <vector>

#include "io/safetensors.h"
#include "io/whole_folder.h"
#include "tests/bench/lora_sizes.h"

namespace {

using namespace leco;

void save(const std::string& path, const torch::Tensor& lora, const torch::Tensor& optimizer) {
  WholeFolder state(path);
  state.write("lora.safetensors", safetensors_bytes({{"lora", lora}}, {}));
  state.write("optimizer.safetensors",
              safetensors_bytes({{"exp_avg", optimizer}, {"exp_avg_sq", optimizer}}, {}));
  state.write("state.json", "{}");
  state.commit();
}

}  // namespace

int main(int count, char** words) {
  if (count < 2) return std::fputs("usage: state_time FOLDER [REPEATS]\n", stderr), 2;
  const int repeats = count > 2 ? std::atoi(words[2]) : 3;
  const std::string path = (std::filesystem::path(words[1]) / "bench-state").string();
  std::puts("| LoRA | state | median | a second |\n| --- | --- | --- | --- |");
  for (const LoraSize& size : kLoraSizes) {
    const torch::Tensor lora = torch::randn({size.weights});
    std::vector<double> seconds;
    for (int i = 0; i < repeats; ++i) {
      const auto start = std::chrono::steady_clock::now();
      save(path, lora, lora);
      seconds.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
    }
    std::ranges::nth_element(seconds, seconds.begin() + repeats / 2);
    const double megabytes = 12e-6 * static_cast<double>(size.weights), median = seconds[repeats / 2];
    fmt::print("| {} | {:.0f} MB | {:.2f} s | {:.0f} MB |\n", size.name, megabytes, median,
               megabytes / median);
  }
  std::filesystem::remove_all(path);
}
