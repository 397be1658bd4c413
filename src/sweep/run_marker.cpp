#include "sweep/run_marker.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/read_file.h"
#include "core/version.h"
#include "io/atomic_file.h"
#include "io/digest.h"

namespace leco {
namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

constexpr int kFormat = 1;

std::string inside(const std::string& folder, const std::string& name) {
  return (fs::path(folder) / name).string();
}

bool is_newer(const timespec& left, const timespec& right) {
  return left.tv_sec != right.tv_sec ? left.tv_sec > right.tv_sec : left.tv_nsec > right.tv_nsec;
}

// Nothing for what is missing or no object of this format.
std::optional<ordered_json> read_object(const std::string& path) {
  std::error_code failure;
  if (!fs::is_regular_file(path, failure)) return std::nullopt;
  auto object = ordered_json::parse(read_local_file(path), nullptr, /*allow_exceptions=*/false);
  if (!object.is_object() || object.value("format", ordered_json()) != kFormat) return std::nullopt;
  return object;
}

std::string text_of(const ordered_json& object) {
  return object.dump(2, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

DoneMarker marker_from(const ordered_json& object) {
  DoneMarker marker{.run = object.at("run"),
                    .settings = {},
                    .files = {},
                    .seconds = object.at("seconds"),
                    .evaluation_seconds = object.value("evaluation_seconds", 0.0),
                    .cost = object.at("cost"),
                    .ranks = object.at("ranks")};
  for (const auto& [name, value] : object.at("settings").items())
    marker.settings.emplace_back(name, value.get<std::string>());
  for (const auto& [name, file] : object.at("files").items())
    marker.files.push_back({name, file.at("bytes"), file.at("sha256")});
  if (!object.at("final_loss").is_null()) marker.final_loss = object.at("final_loss").get<double>();
  return marker;
}

std::optional<DoneMarker> read_marker(const std::string& path) {
  const auto object = read_object(path);
  if (!object) return std::nullopt;
  try {
    return marker_from(*object);
  } catch (const nlohmann::json::exception&) {  // somebody edited it
    return std::nullopt;
  }
}

void write_marker(const std::string& path, const DoneMarker& marker) {
  ordered_json settings = ordered_json::object(), files = ordered_json::object();
  for (const auto& [name, value] : marker.settings) settings[name] = value;
  for (const auto& [name, bytes, sha256] : marker.files) files[name] = {{"bytes", bytes}, {"sha256", sha256}};
  const ordered_json object = {
      {"format", kFormat},
      {"version", kVersion},
      {"run", marker.run},
      {"seconds", marker.seconds},
      {"evaluation_seconds", marker.evaluation_seconds},
      {"final_loss", marker.final_loss ? ordered_json(*marker.final_loss) : ordered_json()},
      {"cost", marker.cost},
      {"ranks", marker.ranks},
      {"files", files},
      {"settings", settings}};
  write_file_atomically(path, text_of(object));
}

}  // namespace

std::string trained_path(const std::string& folder) {
  return inside(folder, "sweep.trained.json");
}

std::string done_path(const std::string& folder) {
  return inside(folder, "sweep.done.json");
}

std::string failed_path(const std::string& folder) {
  return inside(folder, "sweep.failed.json");
}

DoneMarker with_files(DoneMarker marker, const std::string& folder, const std::vector<std::string>& names) {
  for (const std::string& name : names)
    marker.files.push_back({name, fs::file_size(inside(folder, name)), sha256_of_file(inside(folder, name))});
  return marker;
}

void write_trained(const std::string& folder, const DoneMarker& marker) {
  write_marker(trained_path(folder), marker);
}

void write_done(const std::string& folder, const DoneMarker& marker) {
  write_marker(done_path(folder), marker);
  for (const std::string& path : {failed_path(folder), trained_path(folder)}) unlink(path.c_str());
}

void reopen_done(const std::string& folder) {
  if (rename(done_path(folder).c_str(), trained_path(folder).c_str()) != 0 && errno != ENOENT)
    throw_cannot_write(trained_path(folder), errno);
}

void write_failed(const std::string& folder, const FailedMarker& marker) {
  const ordered_json object = {{"format", kFormat},
                               {"version", kVersion},
                               {"error", marker.error},
                               {"attempts", marker.attempts},
                               {"seconds", marker.seconds}};
  write_file_atomically(failed_path(folder), text_of(object));
}

std::optional<DoneMarker> read_trained(const std::string& folder) {
  return read_marker(trained_path(folder));
}

std::optional<DoneMarker> read_done(const std::string& folder) {
  return read_marker(done_path(folder));
}

std::optional<FailedMarker> read_failed(const std::string& folder) {
  const auto object = read_object(failed_path(folder));
  if (!object) return std::nullopt;
  try {
    return FailedMarker{object->at("error"), object->at("attempts"), object->at("seconds")};
  } catch (const nlohmann::json::exception&) {
    return std::nullopt;
  }
}

std::string damage_of(const std::string& path, const DoneMarker& marker) {
  const std::string folder = fs::path(path).parent_path().string();
  struct stat of_marker {};
  if (stat(path.c_str(), &of_marker) != 0) return "its marker is gone";
  for (const auto& [name, bytes, sha256] : marker.files) {
    struct stat there {};
    if (stat(inside(folder, name).c_str(), &there) != 0) return fmt::format("{} is missing", name);
    if (static_cast<uint64_t>(there.st_size) != bytes)
      return fmt::format("{} has {} bytes instead of {}", name, there.st_size, bytes);
    // Of the marker's own time as well: a file system may count in seconds.
    if (!is_newer(of_marker.st_mtim, there.st_mtim) && sha256_of_file(inside(folder, name)) != sha256)
      return fmt::format("{} was changed", name);
  }
  return {};
}

std::vector<std::string> differences(const NamedTexts& there, const NamedTexts& here) {
  std::vector<std::string> found;
  for (const auto& [name, value] : here) {
    const auto other = std::ranges::find(there, name, &NamedTexts::value_type::first);
    if (other == there.end() || value.empty() || other->second.empty() || other->second == value) continue;
    found.push_back(name == kPromptsChecksum
                        ? "the prompts are others"
                        : fmt::format("{} is {} there and {} here", name, other->second, value));
  }
  return found;
}

}  // namespace leco
