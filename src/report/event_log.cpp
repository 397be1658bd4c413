#include "report/event_log.h"

#include <fmt/format.h>

#include <ctime>
#include <filesystem>

namespace leco {
namespace {

std::string run_folder(const LogSettings& log) {
  const std::time_t now = std::time(nullptr);
  std::tm local{};
  localtime_r(&now, &local);
  char time[32];
  std::strftime(time, sizeof time, "%Y%m%d%H%M%S", &local);
  return (std::filesystem::path(log.logging_dir) / (log.prefix + time) / log.tracker_name).string();
}

// Markdown, which TensorBoard shows as a table.
std::string table_of(const std::vector<std::pair<std::string, std::string>>& settings) {
  std::string table = "| setting | value |\n| --- | --- |\n";
  for (const auto& [name, value] : settings) {
    std::string shown;
    for (const char c : value) shown += c == '|' ? std::string("\\|") : std::string(1, c);
    table += fmt::format("| {} | {} |\n", name, shown);
  }
  return table;
}

}  // namespace

EventLog::EventLog(const LogSettings& log, const std::vector<std::pair<std::string, std::string>>& settings)
    : file_(run_folder(log)) {
  if (!log.config) return;
  file_.text("settings/text_summary", 0, table_of(settings));
  file_.flush();
}

void EventLog::write(const StepReport& report) {
  const auto scalar = [&](const std::string& tag, double value) { file_.scalar(tag, report.step, value); };
  scalar("loss", report.loss);
  scalar("lr", report.learning_rate);
  if (!report.skipped) scalar("grad_norm", report.gradient_norm);
  for (size_t phase = 0; phase < kPhases; ++phase)
    scalar(fmt::format("seconds/{}", phase_name(static_cast<Phase>(phase))), report.seconds[phase]);
  if (report.early_sign) {
    scalar("early_sign/change", report.early_sign->change);
    scalar("early_sign/cosine", report.early_sign->cosine);
    scalar("early_sign/progress", report.early_sign->progress);
  }
  file_.flush();
}

void EventLog::preview(int64_t step, int64_t index, const Picture& picture, const std::string& png) {
  file_.image(fmt::format("preview/{:02}", index), step, picture, png);
  file_.flush();
}

void EventLog::preview_seconds(int64_t step, double seconds) {
  file_.scalar("seconds/preview", step, seconds);
  file_.flush();
}

}  // namespace leco
