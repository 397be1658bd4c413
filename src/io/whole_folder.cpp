#include "io/whole_folder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/fault.h"
#include "core/read_file.h"
#include "io/atomic_file.h"
#include "io/digest.h"

namespace leco {
namespace {

namespace fs = std::filesystem;

constexpr const char* kManifest = "DONE";
constexpr int kFormat = 1;

void rename_or_throw(const std::string& from, const std::string& to) {
  if (rename(from.c_str(), to.c_str()) != 0)
    throw Error(fmt::format("cannot write '{}': {}", to, std::strerror(errno)));
}

// `fresh` gets the name `path`; a folder that had it is then at `fresh`, or is gone. Where the file system
// cannot exchange two names at once, there is a moment without either.
void take_name(const std::string& fresh, const std::string& path) {
  if (renameat2(AT_FDCWD, fresh.c_str(), AT_FDCWD, path.c_str(), RENAME_EXCHANGE) == 0) return;
  if (fs::exists(path)) {
    const std::string old = fresh + "-old";
    rename_or_throw(path, old);
    rename_or_throw(fresh, path);
    fs::remove_all(old);
    return;
  }
  rename_or_throw(fresh, path);
}

// An entry of DONE; somebody may have edited it.
bool describes_file(const nlohmann::json& entry) {
  return entry.is_object() && entry.value("bytes", nlohmann::json()).is_number_unsigned() &&
         entry.value("sha256", nlohmann::json()).is_string();
}

std::string damage_of_file(const std::string& path, const nlohmann::json& expected) {
  const std::string name = fs::path(path).filename().string();
  std::error_code failure;
  const auto bytes = fs::file_size(path, failure);
  if (failure) return fmt::format("{} cannot be read: {}", name, failure.message());
  const auto wanted = expected.at("bytes").get<uint64_t>();
  if (bytes != wanted) return fmt::format("{} has {} bytes instead of {}", name, bytes, wanted);
  if (sha256_of_file(path) != expected.at("sha256"))
    return fmt::format("{} has another checksum than DONE says", name);
  return {};
}

}  // namespace

WholeFolder::WholeFolder(std::string path) : path_(std::move(path)), temporary_(temporary_name(path_)) {
  std::error_code failure;
  fs::remove_all(temporary_, failure);  // left by a killed process that had our number
  if (mkdir(temporary_.c_str(), 0777) != 0) throw_cannot_write(path_, errno);
  fault_point(FaultPoint::kFolderMade);
}

WholeFolder::~WholeFolder() {
  std::error_code ignored;
  if (!temporary_.empty()) fs::remove_all(temporary_, ignored);
}

void WholeFolder::write(const std::string& name, std::string_view bytes) {
  LECO_ASSERT(!temporary_.empty() && name != kManifest);
  write_file_atomically((fs::path(temporary_) / name).string(), bytes);
  files_.push_back({name, bytes.size(), sha256(bytes)});
}

void WholeFolder::commit() {
  LECO_ASSERT(!temporary_.empty());
  nlohmann::ordered_json manifest = {{"format", kFormat}, {"files", nlohmann::ordered_json::object()}};
  for (const File& file : files_)
    manifest["files"][file.name] = {{"bytes", file.bytes}, {"sha256", file.sha256}};
  write_file_atomically((fs::path(temporary_) / kManifest).string(), manifest.dump(2) + "\n");
  fault_point(FaultPoint::kFolderDone);
  take_name(temporary_, path_);
  fault_point(FaultPoint::kFolderNamed);
  sync_folder_of(path_);
  std::error_code ignored;
  fs::remove_all(temporary_, ignored);  // what had the name before
  temporary_.clear();
}

std::string damage_of(const std::string& folder) {
  const fs::path manifest_path = fs::path(folder) / kManifest;
  std::error_code failure;
  if (!fs::is_regular_file(manifest_path, failure)) return "DONE is missing";
  const auto manifest =
      nlohmann::json::parse(read_local_file(manifest_path.string()), nullptr, /*allow_exceptions=*/false);
  if (!manifest.is_object()) return "DONE is no manifest";
  if (manifest.value("format", nlohmann::json()) != kFormat) return "another version of leco wrote it";
  const nlohmann::json files = manifest.value("files", nlohmann::json());
  if (!files.is_object() || files.empty() || !std::ranges::all_of(files, describes_file))
    return "DONE is no manifest";
  for (const auto& [name, expected] : files.items()) {
    if (std::string damage = damage_of_file((fs::path(folder) / name).string(), expected); !damage.empty())
      return damage;
  }
  return {};
}

}  // namespace leco
