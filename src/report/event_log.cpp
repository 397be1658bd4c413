#include "report/event_log.h"

#include <fmt/format.h>

#include <ctime>
#include <filesystem>
#include <fstream>

#include "io/atomic_file.h"

namespace leco {
namespace {

namespace fs = std::filesystem;

constexpr const char* kOwner = "leco_output";  // in a run's folder: whose curves these are

// Named by the time; of runs that start in one second the later ones get a number, too.
fs::path new_folder(const LogSettings& log) {
  const std::time_t now = std::time(nullptr);
  std::tm local{};
  localtime_r(&now, &local);
  char time[32];
  std::strftime(time, sizeof time, "%Y%m%d%H%M%S", &local);
  const fs::path first = fs::path(log.logging_dir) / (log.prefix + time);
  std::error_code failure;
  fs::create_directories(log.logging_dir, failure);
  fs::path folder = first;
  for (int number = 2; !failure && !fs::create_directory(folder, failure) && !failure; ++number)
    folder = fmt::format("{}-{}", first.string(), number);
  return folder / log.tracker_name;
}

std::string output_of(const TrainSettings& settings) {
  return fs::absolute(fs::path(settings.output_dir) / settings.output_name).string();
}

// The newest that holds curves of this output; empty where there is none.
fs::path earlier_folder(const LogSettings& log, const std::string& output) {
  fs::path newest;
  std::error_code failure;
  for (const auto& entry : fs::directory_iterator(log.logging_dir, failure)) {
    const fs::path folder = entry.path() / log.tracker_name;
    if (folder <= newest || !entry.path().filename().string().starts_with(log.prefix)) continue;
    std::string owner;
    if (std::getline(std::ifstream(folder / kOwner), owner) && owner == output) newest = folder;
  }
  return newest;
}

std::string run_folder(const TrainSettings& settings, bool goes_on) {
  const fs::path earlier = goes_on ? earlier_folder(settings.log, output_of(settings)) : fs::path();
  return (earlier.empty() ? new_folder(settings.log) : earlier).string();
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

EventLog::EventLog(const TrainSettings& settings, std::optional<int64_t> again_from,
                   const std::vector<std::pair<std::string, std::string>>& table)
    : file_(run_folder(settings, again_from.has_value())) {
  const fs::path owner = fs::path(path()).parent_path() / kOwner;
  const bool goes_on = fs::exists(owner);
  if (goes_on)
    file_.restart(*again_from);
  else
    write_file_atomically(owner.string(), output_of(settings) + "\n");
  if (settings.log.config && (!goes_on || *again_from == 0))
    file_.text("settings/text_summary", 0, table_of(table));
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
