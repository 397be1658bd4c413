#include <gtest/gtest.h>

#include <map>
#include <string>

#include "comm/launch_environment.h"
#include "core/error.h"

namespace leco {
namespace {

Launch launched_with(const std::map<std::string, std::string>& variables) {
  return detect_launch([&](const char* name) -> const char* {
    const auto found = variables.find(name);
    return found == variables.end() ? nullptr : found->second.c_str();
  });
}

void expect_launch(const std::map<std::string, std::string>& variables, bool by_mpi, int tasks) {
  const Launch launch = launched_with(variables);
  EXPECT_EQ(launch.by_mpi, by_mpi);
  EXPECT_EQ(launch.tasks, tasks);
}

TEST(DetectLaunch, AProcessStartedByHandIsAlone) {
  expect_launch({}, false, 1);
  expect_launch({{"SLURM_NTASKS", "8"}, {"SLURM_PROCID", "0"}}, false, 1);  // inside a batch script
  expect_launch({{"SLURM_STEP_NUM_TASKS", "1"}}, false, 1);
}

TEST(DetectLaunch, KnowsTheLaunchersOfMpi) {
  expect_launch({{"OMPI_COMM_WORLD_SIZE", "4"}}, true, 4);
  expect_launch({{"MV2_COMM_WORLD_SIZE", "4"}}, true, 4);
  expect_launch({{"PMI_RANK", "1"}, {"PMI_SIZE", "3"}}, true, 3);
  expect_launch({{"PMIX_RANK", "0"}, {"SLURM_STEP_NUM_TASKS", "6"}}, true, 6);
  expect_launch({{"PMIX_RANK", "0"}}, true, 1);
}

TEST(DetectLaunch, MpirunInsideAnSrunStepCountsItsOwnProcesses) {
  expect_launch({{"OMPI_COMM_WORLD_SIZE", "8"}, {"SLURM_STEP_NUM_TASKS", "2"}}, true, 8);
}

TEST(DetectLaunch, SeveralTasksWithoutAPluginAreTheUsersMistake) {
  try {
    launched_with({{"SLURM_STEP_NUM_TASKS", "4"}});
    FAIL() << "nothing was thrown";
  } catch (const Error& error) {
    EXPECT_EQ(error.status(), ExitStatus::kUsage);
    EXPECT_NE(std::string(error.what()).find("srun --mpi=pmix"), std::string::npos);
  }
}

}  // namespace
}  // namespace leco
