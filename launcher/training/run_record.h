// <output_name>.run.json: what does not determine the result, and so may not stand in the LoRA file.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "comm/world.h"
#include "config/settings.h"

namespace leco {

class RunRecord {
 public:
  RunRecord(const TrainSettings& settings, World& world,
            torch::Device device);  // collective: gathers the hosts
  // Version, ranks, hosts, devices, paths, output name, dates and seconds; whole or not at all.
  void write(const std::vector<std::string>& files) const;

 private:
  const TrainSettings& settings_;
  std::vector<std::string> hosts_;  // of each rank
  std::string device_;
  std::chrono::system_clock::time_point started_ = std::chrono::system_clock::now();
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();  // a date may jump
};

std::string device_name(DeviceChoice choice);       // "auto", "cpu", "cuda"
std::string describe_device(torch::Device device);  // "cpu", or the GPU's name
// What must be alike on all ranks for equal bits: the GPU's name, or "cpu with AVX512".
std::string describe_arithmetic(torch::Device device);

}  // namespace leco
