#include "core/log.h"

#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "core/error.h"

namespace leco::log {
namespace {

// Where lines go. It is replaced whole and never changed, since the watchdog's thread may be writing a line.
struct Output {
  std::shared_ptr<spdlog::logger> lines;
  std::shared_ptr<spdlog::logger> headlines;  // what is not diverted
  bool is_diverted = false;
};

struct Rank {
  bool is_first = true;
  std::string text;  // "[rank 3] ", empty in a world of one
};

Rank& rank() {
  static Rank rank;
  return rank;
}

std::shared_ptr<spdlog::logger> make_logger(std::vector<spdlog::sink_ptr> sinks,
                                            spdlog::level::level_enum level, const std::string& pattern) {
  auto made = std::make_shared<spdlog::logger>("leco", sinks.begin(), sinks.end());
  made->set_pattern(pattern);
  made->set_level(level);
  made->flush_on(spdlog::level::debug);
  return made;
}

std::string full_pattern() {
  return "%H:%M:%S " + rank().text + "%l: %v";
}

std::shared_ptr<const Output> at_start() {
  const auto logger =
      make_logger({std::make_shared<spdlog::sinks::stderr_sink_mt>()}, spdlog::level::info, full_pattern());
  return std::make_shared<Output>(Output{logger, logger});
}

class CurrentOutput {
 public:
  std::shared_ptr<const Output> get() {
    const std::lock_guard lock(mutex_);
    return output_;
  }
  void set(Output output) {
    auto fresh = std::make_shared<const Output>(std::move(output));
    const std::lock_guard lock(mutex_);
    output_.swap(fresh);
  }

 private:
  std::mutex mutex_;
  std::shared_ptr<const Output> output_ = at_start();
};

CurrentOutput& current() {
  static CurrentOutput output;
  return output;
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

void start(int rank_here, int world_size) {
  rank() = {.is_first = rank_here == 0, .text = ""};
  if (world_size > 1) {
    const std::string width = std::to_string(std::to_string(world_size - 1).size());
    rank().text = fmt::format(fmt::runtime("[rank {:>" + width + "}] "), rank_here);
  }
  configure({});
}

void configure(const Console& console) {
  const Level level = rank().is_first ? console.level : std::max(console.level, Level::kWarning);
  auto stderr_sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
  std::vector<spdlog::sink_ptr> sinks = {stderr_sink};
  if (!console.file.empty() && rank().is_first) {
    try {
      sinks.push_back(std::make_shared<spdlog::sinks::basic_file_sink_mt>(console.file, /*truncate=*/true));
    } catch (const spdlog::spdlog_ex& error) {
      throw_usage(
          fmt::format("--console_log_file={}: the file cannot be written: {}", console.file, error.what()));
    }
    stderr_sink->set_level(spdlog::level::err);
  }
  const std::string pattern = console.simple ? rank().text + "%v" : full_pattern();
  current().set({.lines = make_logger(sinks, to_spdlog(level), pattern),
                 .headlines = make_logger(sinks, to_spdlog(console.level), pattern)});
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
  current().set({.lines = make_logger(std::move(sinks), spdlog::level::info, full_pattern()),
                 .headlines = current().get()->headlines,
                 .is_diverted = true});
}

bool is_diverted() {
  return current().get()->is_diverted;
}

void headline(const std::string& line) {
  current().get()->headlines->info("{}", line);
}

void debug(const std::string& line) {
  current().get()->lines->debug("{}", line);
}
void info(const std::string& line) {
  current().get()->lines->info("{}", line);
}
void warning(const std::string& line) {
  current().get()->lines->warn("{}", line);
}
void notice(const std::string& line) {
  if (rank().is_first || is_diverted()) warning(line);
}
void error(const std::string& line) {
  current().get()->lines->error("{}", line);
}

}  // namespace leco::log
