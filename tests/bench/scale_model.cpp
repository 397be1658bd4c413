// The table of docs/distributed.md: what share of the time the GPUs would work, from 1 to 1024 of them.
// Shares come from the program's own plan of 20 steps, messages and the rest from the model of
// src/plan/traffic.h with these figures:
//
// - one sample's pass: 1.1's multiply-accumulates at 305 TFLOPS, the best published for such a model on an
// H100 (SDXL
//   in TensorRT); a slower program would wait less for its messages, so this is the hard case;
// - 20 GB/s a rank between nodes (of a 200 Gbit/s adapter's 25), 10 µs a hop, 2 TB/s of memory (of an
// H100's 3.35);
// - the time to plan a step is measured here, on this machine's CPU.
#include <fmt/format.h>

#include <chrono>
#include <cstdio>

#include "plan/step_plan.h"
#include "plan/traffic.h"

namespace {

using namespace leco;

struct Model {
  const char* name;
  int64_t side;
  double teraflops_a_pass;
  int64_t lora_weights;
};

constexpr double kSpeed = 305;  // TFLOPS
constexpr int64_t kSteps = 20;

struct Figures {
  double mean = 0, greatest = 0;  // passes of a rank in a step
  double planning = 0;            // seconds
};

Figures plan_steps(const Model& model, RolloutLength lengths, int64_t items, int ranks) {
  const PromptPair pair{.target = "a",
                        .positive = "b",
                        .unconditional = "c",
                        .neutral = "d",
                        .resolution = {model.side, model.side}};
  const PlanSettings settings{.draws = {.seed = 1, .items = items, .rollout_length = lengths}};
  const double unit = forward_cost(pair.resolution);
  Figures figures;
  const auto start = std::chrono::steady_clock::now();
  for (int64_t step = 0; step < kSteps; ++step) {
    const StepPlan plan = plan_step(settings, {pair}, step, ranks);
    double greatest = 0, sum = 0;
    for (const auto& share : plan.shares) {
      double load = 0;
      for (const int64_t pack : share) load += plan.costs[pack];
      greatest = std::max(greatest, load);
      sum += load;
    }
    figures.mean += sum / ranks / unit / kSteps;
    figures.greatest += greatest / unit / kSteps;
  }
  figures.planning = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() / kSteps;
  return figures;
}

void print_row(const Model& model, const char* lengths_name, RolloutLength lengths, int64_t items_a_rank) {
  fmt::print("| {} | {}, {} a GPU |", model.name, lengths_name, items_a_rank);
  for (int ranks = 1; ranks <= 1024; ranks *= 4) {
    const Figures figures = plan_steps(model, lengths, items_a_rank * ranks, ranks);
    const Cluster cluster{.ranks = ranks,
                          .seconds_a_pass = model.teraflops_a_pass / kSpeed,
                          .bytes_a_second = 20e9,
                          .seconds_a_hop = 1e-5,
                          .memory_a_second = 2e12,
                          .planning_seconds = figures.planning};
    const StepTime time =
        step_time(figures.mean, figures.greatest, step_traffic(items_a_rank * ranks, model.lora_weights),
                  items_a_rank, cluster);
    fmt::print(" {:.1f} |", 100 * time.efficiency());
    if (ranks == 1024)
      fmt::print(" {:.2f} s | {:.1f} ms | {:.1f} ms |\n", time.total(), 1e3 * time.messages, 1e3 * time.own);
  }
}

}  // namespace

int main() {
  // SD 1.5 at rank 4 and SDXL at rank 16: 7 and 170 MB in float32.
  const Model models[] = {{"SD 1.5, 512×512, rank 4", 512, 0.803, 1'754'112},
                          {"SDXL, 1024×1024, rank 16", 1024, 6.761, 42'500'000}};
  std::puts(
      "| model | lengths, items | 1 | 4 | 16 | 64 | 256 | 1024 | step of 1024 | messages | merge and plan |");
  std::puts("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |");
  for (const Model& model : models) {
    print_row(model, "shared", RolloutLength::kShared, 1);
    print_row(model, "independent", RolloutLength::kIndependent, 1);
    print_row(model, "independent", RolloutLength::kIndependent, 4);
    print_row(model, "independent", RolloutLength::kIndependent, 8);
  }
}
