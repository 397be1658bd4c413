#include "sweep/sweep_record.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>

#include "core/read_file.h"
#include "core/version.h"
#include "io/atomic_file.h"

namespace leco {
namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

constexpr int kFormat = 1;

struct stat stamp_of(const std::string& path) {
  struct stat status {};
  if (stat(path.c_str(), &status) != 0) status = {};
  return status;
}

bool is_same_file(const struct stat& left, const struct stat& right) {
  return left.st_ino == right.st_ino && left.st_size == right.st_size &&
         left.st_mtim.tv_sec == right.st_mtim.tv_sec && left.st_mtim.tv_nsec == right.st_mtim.tv_nsec;
}

}  // namespace

// Ten thousand runs differ in little: those of one are written in full, of each what differs from it.
struct SweepRecord::Contents {
  std::map<std::string, std::string> usual;
  std::map<std::string, NamedTexts> runs;

  // Nothing where there is no file, or none of this format.
  static Contents read(const std::string& path) {
    Contents contents;
    std::error_code failure;
    if (!fs::is_regular_file(path, failure)) return contents;
    const auto object = ordered_json::parse(read_local_file(path), nullptr, /*allow_exceptions=*/false);
    try {
      if (object.at("format") != kFormat) return contents;
      contents.usual = object.at("settings").get<std::map<std::string, std::string>>();
      for (const auto& [name, settings] : object.at("runs").items()) {
        NamedTexts& own = contents.runs[name];
        for (const auto& [key, value] : settings.items()) own.emplace_back(key, value.get<std::string>());
      }
    } catch (const nlohmann::json::exception&) {  // somebody edited it
      return {};
    }
    return contents;
  }

  std::string text() const {
    ordered_json all = ordered_json::object();
    for (const auto& [name, settings] : runs) {
      ordered_json& own = all[name] = ordered_json::object();
      for (const auto& [key, value] : settings) own[key] = value;
    }
    const ordered_json object = {
        {"format", kFormat}, {"version", kVersion}, {"settings", usual}, {"runs", all}};
    return object.dump(1, ' ', false, ordered_json::error_handler_t::replace) + "\n";
  }

  NamedTexts own_of(const NamedTexts& settings) const {
    NamedTexts own;
    for (const auto& [key, value] : settings)
      if (const auto found = usual.find(key); found == usual.end() || found->second != value)
        own.emplace_back(key, value);
    return own;
  }

  NamedTexts all_of(const NamedTexts& own) const {
    NamedTexts all = own;  // the first of a name counts
    all.insert(all.end(), usual.begin(), usual.end());
    return all;
  }

  void add(const Run& run) {
    if (usual.empty()) usual.insert(run.settings.begin(), run.settings.end());
    runs[run.name] = own_of(run.settings);
  }
};

SweepRecord::SweepRecord(const std::string& output_dir)
    : path_((fs::path(output_dir) / "sweep.json").string()) {}

std::string SweepRecord::agree(const std::vector<Run>& runs) {
  const struct stat now = stamp_of(path_);
  if (known_.st_ino != 0 && is_same_file(now, known_)) return {};
  Contents contents = Contents::read(path_);
  bool is_complete = true;
  for (const Run& run : runs) {
    const auto found = contents.runs.find(run.name);
    if (found == contents.runs.end()) {
      contents.add(run);
      is_complete = false;
    } else if (found->second != contents.own_of(run.settings)) {
      const auto other = differences(contents.all_of(found->second), run.settings);
      if (!other.empty()) return fmt::format("for '{}' {}", run.name, fmt::join(other, "; "));
    }
  }
  if (is_complete)
    known_ = now;
  else
    write(contents);
  return {};
}

void SweepRecord::replace(const std::vector<Run>& runs) {
  Contents contents;
  for (const Run& run : runs) contents.add(run);
  write(contents);
}

void SweepRecord::write(const Contents& contents) {
  write_file_atomically(path_, contents.text());
  known_ = stamp_of(path_);
}

}  // namespace leco
