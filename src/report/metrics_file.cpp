#include "report/metrics_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/log.h"
#include "io/atomic_file.h"

namespace leco {

using nlohmann::ordered_json;

std::string metrics_line(const StepReport& report) {
  ordered_json items = ordered_json::array();
  for (const WorkItem& item : report.items)
    items.push_back({{"pair", item.pair},
                     {"k", item.k},
                     {"t", item.timestep},
                     {"height", item.resolution.height},
                     {"width", item.resolution.width}});
  ordered_json seconds = ordered_json::object();
  for (size_t phase = 0; phase < kPhases; ++phase)
    seconds[phase_name(static_cast<Phase>(phase))] = report.seconds[phase];
  ordered_json line = {{"step", report.step},
                       {"loss", report.loss},
                       {"lr", report.learning_rate},
                       {"grad_norm", report.skipped ? ordered_json() : ordered_json(report.gradient_norm)},
                       {"seconds", seconds},
                       {"items", items}};
  if (const auto& sign = report.early_sign)
    line["early_sign"] = {{"change", sign->change}, {"cosine", sign->cosine}, {"progress", sign->progress}};
  return line.dump();
}

int64_t last_step_in(const std::string& path) {
  constexpr std::string_view kStart = "{\"step\":";
  std::ifstream in(path, std::ios::binary | std::ios::ate);
  const std::streamoff size = in ? std::streamoff(in.tellg()) : 0;
  int64_t step = 0;
  for (std::streamoff begin = size, window = 4096; begin > 0 && step == 0; window *= 16) {
    begin = std::max<std::streamoff>(0, size - window);
    std::string text(static_cast<size_t>(size - begin), '\0');
    in.seekg(begin).read(text.data(), std::ssize(text));
    const size_t end = text.rfind('\n');  // what follows is being written
    const size_t line = end == std::string::npos ? end : text.rfind(kStart, end);
    if (line != std::string::npos)
      std::from_chars(text.data() + line + kStart.size(), text.data() + end, step);
  }
  return step;
}

namespace {

// Of what a stopped run left, which may end within a line.
std::string lines_of_steps(const std::string& path, int64_t finished_steps) {
  std::string kept;
  int64_t steps = 0;
  std::ifstream in(path);
  for (std::string line; steps < finished_steps && std::getline(in, line); ++steps) {
    const auto json = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
    if (!json.is_object() || json.value("step", nlohmann::json()) != steps + 1) break;
    kept += line + "\n";
  }
  if (steps < finished_steps)
    log::warning(fmt::format("'{}' has {} of the {} steps that are done", path, steps, finished_steps));
  return kept;
}

}  // namespace

MetricsFile::MetricsFile(const std::string& path, int64_t finished_steps) : path_(path) {
  write_file_atomically(path, lines_of_steps(path, finished_steps));
  out_.open(path, std::ios::app);
  if (!out_) throw_usage(fmt::format("cannot write '{}': {}", path, std::strerror(errno)));
}

void MetricsFile::write(const StepReport& report) {
  out_ << metrics_line(report) << '\n' << std::flush;
  if (!out_) throw Error(fmt::format("cannot write '{}': {}", path_, std::strerror(errno)));
}

}  // namespace leco
