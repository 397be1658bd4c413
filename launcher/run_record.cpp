#include "launcher/run_record.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "comm/nccl_communicator.h"
#include "core/version.h"
#include "io/atomic_file.h"
#include "launcher/flag_table.h"

namespace leco {
namespace {

constexpr size_t kHostBytes = 64;

// One broadcast a rank: host names are the only text that ranks exchange.
std::vector<std::string> gather_hosts(World& world) {
  std::vector<std::string> hosts;
  for (int rank = 0; rank < world.size(); ++rank) {
    torch::Tensor name = at::zeros({static_cast<int64_t>(kHostBytes)}, torch::kUInt8);
    if (rank == world.rank()) gethostname(static_cast<char*>(name.data_ptr()), kHostBytes - 1);
    world.host().broadcast(name, rank);
    hosts.emplace_back(static_cast<const char*>(name.data_ptr()));
  }
  return hosts;
}

std::string utc(std::chrono::system_clock::time_point time) {
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", std::chrono::time_point_cast<std::chrono::seconds>(time));
}

}  // namespace

RunRecord::RunRecord(const TrainSettings& settings, World& world, torch::Device device)
    : settings_(settings), hosts_(gather_hosts(world)), device_(describe_device(device)) {}

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
      {"seconds", std::chrono::duration<double>(finished - started_).count()},
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

}  // namespace leco
