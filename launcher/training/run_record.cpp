#include "launcher/training/run_record.h"

#include <ATen/Version.h>
#include <fmt/chrono.h>
#include <fmt/format.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "comm/gather_texts.h"
#include "comm/nccl_communicator.h"
#include "core/host_name.h"
#include "core/version.h"
#include "io/atomic_file.h"
#include "launcher/flags/flag_table.h"

namespace leco {
namespace {

std::string utc(std::chrono::system_clock::time_point time) {
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", std::chrono::time_point_cast<std::chrono::seconds>(time));
}

}  // namespace

RunRecord::RunRecord(const TrainSettings& settings, World& world, torch::Device device)
    : settings_(settings),
      hosts_(gather_texts(world.host(), host_name())),
      device_(describe_device(device)) {}

void RunRecord::write(const std::vector<std::string>& files) const {
  const auto finished = std::chrono::system_clock::now();
  nlohmann::ordered_json settings = nlohmann::ordered_json::object();
  for (const auto& [name, value] : effective_settings(settings_)) settings[name] = value;
  const nlohmann::ordered_json record = {
      {"version", kVersion},
      {"output_name", settings_.output_name},
      {"files", files},
      {"ranks", hosts_.size()},
      {"hosts", hosts_},
      {"device", device_},
      {"started", utc(started_)},
      {"finished", utc(finished)},
      {"seconds", std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count()},
      {"settings", settings}};
  const auto path = std::filesystem::path(settings_.output_dir) / (settings_.output_name + ".run.json");
  write_file_atomically(path.string(), record.dump(2) + "\n");
}

std::string device_name(DeviceChoice choice) {
  switch (choice) {
    case DeviceChoice::kAuto:
      return "auto";
    case DeviceChoice::kCpu:
      return "cpu";
    case DeviceChoice::kCuda:
      return "cuda";
  }
  return "auto";
}

std::string describe_device(torch::Device device) {
  return device.is_cuda() ? gpu_name(device) : "cpu";
}

std::string describe_arithmetic(torch::Device device) {
  return device.is_cuda() ? gpu_name(device) : "cpu with " + at::get_cpu_capability();
}

}  // namespace leco
