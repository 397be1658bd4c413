// The exact merge beside MPI's own float all-reduce, at the sizes of LoRA files. Run it under mpirun:
//   mpirun -n 2 build/tests/bench/merge_time [REPEATS]
// A row a size: the median seconds of MPI_Allreduce over floats, of the sums over 64-bit integers that the
// merge makes, piece by piece, and of the whole merge of a gradient a rank (the maximum, quantising,
// integers, the mean), slowest rank. Aims: integers ≤ 2.2 ×, the whole ≤ 3.5 ×.
#include <fmt/format.h>
#include <mpi.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <functional>
#include <vector>

#include "comm/world.h"
#include "launcher/process.h"
#include "tests/bench/lora_sizes.h"
#include "train/gradient_merge.h"

namespace {

using namespace leco;
using torch::Tensor;

// Of the slowest rank, the median of `repeats`, in seconds; what `prepare` takes does not count.
double median_seconds(
    Communicator& comm, int repeats, const std::function<void()>& act,
    const std::function<void()>& prepare = [] {}) {
  std::vector<double> seconds;
  for (int i = -1; i < repeats; ++i) {  // one to warm up
    prepare();
    comm.barrier();
    const auto start = std::chrono::steady_clock::now();
    act();
    const double mine = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    const double slowest = std::ranges::max(comm.all_gather(mine));
    if (i >= 0) seconds.push_back(slowest);
  }
  std::ranges::nth_element(seconds, seconds.begin() + repeats / 2);
  return seconds[repeats / 2];
}

void measure(Communicator& comm, const LoraSize& size, int repeats) {
  Tensor floats = torch::randn({size.weights});
  const int64_t piece = std::min(size.weights, merge_piece(torch::kCPU, comm.size()));
  const Tensor integers = torch::ones({piece}, torch::kInt64);
  const double of_floats = median_seconds(comm, repeats, [&] {
    if (comm.size() > 1)
      MPI_Allreduce(MPI_IN_PLACE, floats.data_ptr(), static_cast<int>(size.weights), MPI_FLOAT, MPI_SUM,
                    MPI_COMM_WORLD);
  });
  const double of_integers = median_seconds(comm, repeats, [&] {
    for (int64_t first = 0; first < size.weights; first += piece) {
      Tensor sum = integers.narrow(0, 0, std::min(piece, size.weights - first));
      comm.all_reduce(sum, Reduce::kSum);
    }
  });
  const Tensor drawn = torch::randn({size.weights});
  Tensor gradient = at::empty_like(drawn);
  GradientMerge merge(gradient);
  const auto compute = [&] {
    merge.next_pack();
    gradient.copy_(drawn);
  };
  const auto take_mean = [&] {
    Tensor greatest = at::tensor({merge.greatest()}, torch::kFloat64);
    comm.all_reduce(greatest, Reduce::kMax);
    merge.merge(comm, greatest.item<double>(), comm.size(), comm.size());
  };
  const double whole = median_seconds(comm, repeats, take_mean, compute);
  if (comm.rank() != 0) return;
  const auto beside = [&](double seconds) {  // a rank alone sends nothing that could be compared
    return comm.size() == 1 ? std::string("–")
                            : fmt::format("{:.1f} ms, {:.2f}×", 1e3 * seconds, seconds / of_floats);
  };
  fmt::print("| {} | {:.0f} MB | {} | {} | {} | {} |\n", size.name, 4e-6 * static_cast<double>(size.weights),
             comm.size(), comm.size() == 1 ? "–" : fmt::format("{:.1f} ms", 1e3 * of_floats),
             beside(of_integers), comm.size() == 1 ? fmt::format("{:.1f} ms", 1e3 * whole) : beside(whole));
  std::fflush(stdout);
}

}  // namespace

int main(int count, char** words) {
  prepare_process();
  make_deterministic(1);
  World world;
  const int repeats = count > 1 ? std::atoi(words[1]) : 5;
  if (world.rank() == 0)
    std::puts(
        "| LoRA | float32 | ranks | MPI's float sum | integers | whole merge |\n| --- | --- | --- | --- | "
        "--- | --- |");
  for (const LoraSize& size : kLoraSizes) measure(world.host(), size, repeats);
}
