#include "report/metrics_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <iterator>
#include <nlohmann/json.hpp>
#include <numeric>
#include <sstream>

#include "core/error.h"
#include "core/log.h"
#include "io/atomic_file.h"

namespace leco {

using nlohmann::ordered_json;

// The items are most of a line of a large step, and written straight: rank 0 writes it while the others wait.
std::string metrics_line(const StepReport& report) {
  ordered_json seconds = ordered_json::object();
  for (size_t phase = 0; phase < kPhases; ++phase)
    seconds[phase_name(static_cast<Phase>(phase))] = report.seconds[phase];
  const ordered_json head = {
      {"step", report.step},
      {"loss", report.loss},
      {"lr", report.learning_rate},
      {"grad_norm", report.skipped ? ordered_json() : ordered_json(report.gradient_norm)},
      {"seconds", seconds}};
  std::string line = head.dump();
  line.back() = ',';
  line += "\"items\":[";
  for (const WorkItem& item : report.items)
    fmt::format_to(std::back_inserter(line), R"({}{{"pair":{},"k":{},"t":{},"height":{},"width":{}}})",
                   line.back() == '[' ? "" : ",", item.pair, item.k, item.timestep, item.resolution.height,
                   item.resolution.width);
  line += ']';
  if (const auto& sign = report.early_sign)
    line +=
        ",\"early_sign\":" +
        ordered_json{{"change", sign->change}, {"cosine", sign->cosine}, {"progress", sign->progress}}.dump();
  return line + '}';
}

namespace {

// Nothing where it is no such line. The items are left out.
std::optional<StepReport> report_of(const std::string& text) try {
  const nlohmann::json line = nlohmann::json::parse(text);
  StepReport report;
  report.step = line.at("step");
  report.loss = line.at("loss");
  report.learning_rate = line.at("lr");
  report.skipped = line.at("grad_norm").is_null();
  if (!report.skipped) report.gradient_norm = line.at("grad_norm");
  for (size_t phase = 0; phase < kPhases; ++phase)
    report.seconds[phase] = line.at("seconds").at(phase_name(static_cast<Phase>(phase)));
  if (const auto sign = line.find("early_sign"); sign != line.end())
    report.early_sign = EarlySign{
        .change = sign->at("change"), .cosine = sign->at("cosine"), .progress = sign->at("progress")};
  return report;
} catch (const nlohmann::json::exception&) {
  return std::nullopt;
}

// Of what a stopped run left, which may end within a line. `last` is set to what the last of the steps says.
std::string lines_of_steps(const std::string& path, int64_t finished_steps, std::optional<StepReport>& last) {
  std::string kept;
  int64_t steps = 0;
  std::ifstream in(path);
  for (std::string line; steps < finished_steps && std::getline(in, line); ++steps) {
    const std::optional<StepReport> report = report_of(line);
    if (!report || report->step != steps + 1) break;
    last = report;
    kept += line + "\n";
  }
  if (steps < finished_steps) {
    last.reset();
    log::warning(fmt::format("'{}' has {} of the {} steps that are done", path, steps, finished_steps));
  }
  return kept;
}

}  // namespace

LastSteps last_steps_in(const std::string& path) {
  std::ifstream in(path, std::ios::binary | std::ios::ate);
  const std::streamoff size = in ? std::streamoff(in.tellg()) : 0;
  LastSteps last;
  for (std::streamoff begin = size, window = 16384; begin > 0 && last.count == 0; window *= 16) {
    begin = std::max<std::streamoff>(0, size - window);
    std::string text(static_cast<size_t>(size - begin), '\0');
    in.seekg(begin).read(text.data(), std::ssize(text));
    text.resize(text.rfind('\n') + 1);  // what follows is being written
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
      const std::optional<StepReport> report = report_of(line);
      if (!report) continue;  // the end of a longer one, at the beginning
      last.step = report->step;
      last.seconds += std::accumulate(report->seconds.begin(), report->seconds.end(), 0.);
      ++last.count;
    }
  }
  return last;
}

MetricsFile::MetricsFile(const std::string& path, int64_t finished_steps) : path_(path) {
  write_file_atomically(path, lines_of_steps(path, finished_steps, last_kept_));
  out_.open(path, std::ios::app);
  if (!out_) throw_usage(fmt::format("cannot write '{}': {}", path, std::strerror(errno)));
}

void MetricsFile::write(const StepReport& report) {
  out_ << metrics_line(report) << '\n' << std::flush;
  if (!out_) throw Error(fmt::format("cannot write '{}': {}", path_, std::strerror(errno)));
}

}  // namespace leco
