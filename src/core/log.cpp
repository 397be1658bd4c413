#include "core/log.h"

#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <algorithm>

#include "core/error.h"

namespace leco::log {
namespace {

std::shared_ptr<spdlog::logger> make_logger(const char* name) {
  auto made = std::make_shared<spdlog::logger>(name, std::make_shared<spdlog::sinks::stderr_sink_mt>());
  made->set_pattern("%H:%M:%S %l: %v");
  made->flush_on(spdlog::level::debug);
  return made;
}

spdlog::logger& logger() {
  static const auto instance = make_logger("leco");
  return *instance;
}

// Of the lines that are not diverted.
spdlog::logger& headlines() {
  static const auto instance = make_logger("headlines");
  return *instance;
}

bool& diverted() {
  static bool on = false;
  return on;
}

std::string& rank_text() {  // "[rank 3] ", empty in a world of one
  static std::string text;
  return text;
}

bool& is_first() {
  static bool first = true;
  return first;
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

void start(int rank, int world_size) {
  rank_text().clear();
  if (world_size > 1) {
    const std::string width = std::to_string(std::to_string(world_size - 1).size());
    rank_text() = fmt::format(fmt::runtime("[rank {:>" + width + "}] "), rank);
  }
  is_first() = rank == 0;
  configure({});
}

void configure(const Console& console) {
  const Level level = is_first() ? console.level : std::max(console.level, Level::kWarning);
  auto stderr_sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
  std::vector<spdlog::sink_ptr> sinks = {stderr_sink};
  if (!console.file.empty() && is_first()) {
    try {
      sinks.push_back(std::make_shared<spdlog::sinks::basic_file_sink_mt>(console.file, /*truncate=*/true));
    } catch (const spdlog::spdlog_ex& error) {
      throw_usage(
          fmt::format("--console_log_file={}: the file cannot be written: {}", console.file, error.what()));
    }
    stderr_sink->set_level(spdlog::level::err);
  }
  diverted() = false;
  headlines().sinks() = sinks;
  logger().sinks() = std::move(sinks);
  for (spdlog::logger* each : {&headlines(), &logger()})
    each->set_pattern(console.simple ? rank_text() + "%v" : "%H:%M:%S " + rank_text() + "%l: %v");
  headlines().set_level(to_spdlog(console.level));
  logger().set_level(to_spdlog(level));
}

void divert(const std::string& file) {
  auto stderr_sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
  stderr_sink->set_level(spdlog::level::err);
  std::vector<spdlog::sink_ptr> sinks = {stderr_sink};
  if (!file.empty()) {
    try {
      sinks.push_back(std::make_shared<spdlog::sinks::basic_file_sink_mt>(file, /*truncate=*/false));
    } catch (const spdlog::spdlog_ex& error) {
      throw Error(fmt::format("the log file cannot be written: {}", error.what()));
    }
  }
  logger().sinks() = std::move(sinks);
  logger().set_pattern("%H:%M:%S " + rank_text() + "%l: %v");
  logger().set_level(spdlog::level::info);
  diverted() = true;
}

bool is_diverted() {
  return diverted();
}

void headline(const std::string& line) {
  headlines().info("{}", line);
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
void notice(const std::string& line) {
  if (is_first() || diverted()) warning(line);
}
void error(const std::string& line) {
  logger().error("{}", line);
}

}  // namespace leco::log
