// The C++ side of sweep_results_python_test.py.
//   OUT COUNT    the results of a sweep of COUNT runs, made by hand, with a picture each
#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>

#include "io/atomic_file.h"
#include "report/sweep_results.h"
#include "report/thumbnail.h"
#include "tests/support/test_pictures.h"

namespace {

using namespace leco;

// Every tenth failed, and a name is what a user might call a file, or what an attacker might.
SweepRow run(int index, const std::string& out) {
  const std::string prompts = fmt::format("a \"b\", <img src=x onerror=fail()> {}", index / 10);
  SweepRow row{
      .name = fmt::format("{} learning_rate=1e-{} network_dim={}", prompts, index % 5, index % 2 ? 16 : 8),
      .prompts = prompts,
      .status = index % 10 == 9 ? RunStatus::kFailed : RunStatus::kDone,
      .swept = {{"learning_rate", fmt::format("1e-{}", index % 5)}, {"network_dim", index % 2 ? "16" : "8"}},
      .folder = fmt::format("run {} #?%", index)};
  row.files = {row.folder + "/" + row.name + ".safetensors", row.folder + "/evaluation/report.html"};
  if (row.status == RunStatus::kFailed) {
    row.error = "the prompt file\x01 <b>is bad</b>";
    return row;
  }
  row.seconds = 100 + index * 37 % 101;
  row.final_loss = 0.001 * (index * 31 % 97 + 1);
  row.measures = {{"response", 0.01 * (index * 17 % 89)}, {"cosine", 0.5}};
  row.picture = row.folder + "/thumbnail.jpg";
  std::filesystem::create_directories(std::filesystem::path(out) / row.folder);
  write_file_atomically((std::filesystem::path(out) / row.picture).string(),
                        thumbnail_of({{shaded(64, 64, index), shaded(64, 64), shaded(64, 64, -index)}}));
  return row;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  SweepResults results{.name = "sizes & <colours>", .runs = {}};
  for (int i = 0; i < std::atoi(argv[2]); ++i) results.runs.push_back(run(i, argv[1]));
  for (const std::string& path : write_sweep_results(results, argv[1])) fmt::print("{}\n", path);
  return 0;
}
