#include "report/metrics_file.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>

#include "core/error.h"

namespace leco {

using nlohmann::ordered_json;

std::string metrics_line(const StepReport& report) {
  const auto seconds = [&](Phase phase) { return report.seconds[static_cast<size_t>(phase)]; };
  ordered_json items = ordered_json::array();
  for (const WorkItem& item : report.items)
    items.push_back({{"pair", item.pair},
                     {"k", item.k},
                     {"t", item.timestep},
                     {"height", item.resolution.height},
                     {"width", item.resolution.width}});
  return ordered_json{{"step", report.step},
                      {"loss", report.loss},
                      {"lr", report.learning_rate},
                      {"grad_norm", report.skipped ? ordered_json() : ordered_json(report.gradient_norm)},
                      {"seconds",
                       {{"rollout", seconds(Phase::kRollout)},
                        {"frozen", seconds(Phase::kFrozen)},
                        {"train", seconds(Phase::kTrain)},
                        {"merge", seconds(Phase::kMerge)},
                        {"update", seconds(Phase::kUpdate)}}},
                      {"items", items}}
      .dump();
}

MetricsFile::MetricsFile(const std::string& path) : path_(path), out_(path, std::ios::trunc) {
  if (!out_) throw_usage(fmt::format("cannot write '{}': {}", path, std::strerror(errno)));
}

void MetricsFile::write(const StepReport& report) {
  out_ << metrics_line(report) << '\n' << std::flush;
  if (!out_) throw Error(fmt::format("cannot write '{}': {}", path_, std::strerror(errno)));
}

}  // namespace leco
