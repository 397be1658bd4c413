#include "report/metrics_file.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>

#include "core/error.h"

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

MetricsFile::MetricsFile(const std::string& path) : path_(path), out_(path, std::ios::trunc) {
  if (!out_) throw_usage(fmt::format("cannot write '{}': {}", path, std::strerror(errno)));
}

void MetricsFile::write(const StepReport& report) {
  out_ << metrics_line(report) << '\n' << std::flush;
  if (!out_) throw Error(fmt::format("cannot write '{}': {}", path_, std::strerror(errno)));
}

}  // namespace leco
