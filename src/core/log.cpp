#include "core/log.h"

#include <algorithm>

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

namespace leco::log {
namespace {

spdlog::logger& logger() {
  static const auto instance = [] {
    auto made = std::make_shared<spdlog::logger>("leco", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    made->set_pattern("%H:%M:%S %l: %v");
    made->flush_on(spdlog::level::debug);
    return made;
  }();
  return *instance;
}

spdlog::level::level_enum to_spdlog(Level level) {
  switch (level) {
    case Level::kDebug:
      return spdlog::level::debug;
    case Level::kInfo:
      return spdlog::level::info;
    case Level::kWarning:
      return spdlog::level::warn;
    case Level::kError:
      return spdlog::level::err;
  }
  return spdlog::level::info;
}

}  // namespace

void start(int rank, int world_size, Level level) {
  if (world_size > 1) {
    const std::string width = std::to_string(std::to_string(world_size - 1).size());
    logger().set_pattern("%H:%M:%S [rank " + fmt::format(fmt::runtime("{:>" + width + "}"), rank) +
                         "] %l: %v");
  }
  logger().set_level(to_spdlog(rank == 0 ? level : std::max(level, Level::kWarning)));
}

void debug(const std::string& line) {
  logger().debug("{}", line);
}
void info(const std::string& line) {
  logger().info("{}", line);
}
void warning(const std::string& line) {
  logger().warn("{}", line);
}
void error(const std::string& line) {
  logger().error("{}", line);
}

}  // namespace leco::log
