#include "io/atomic_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "core/error.h"
#include "core/fault.h"

namespace leco {
namespace {

// The name that a signal handler is to remove. One file is written at a time; of several the latest counts.
std::atomic<const char*> written_now{nullptr};

std::filesystem::path folder_of(const std::string& path) {
  const auto folder = std::filesystem::path(path).parent_path();
  return folder.empty() ? std::filesystem::path(".") : folder;
}

int create_exclusively(const std::string& path) {
  return open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
}

}  // namespace

void throw_cannot_write(const std::string& path, int error) {
  constexpr std::array kUserCanMend = {EACCES, EISDIR, ELOOP, ENAMETOOLONG, ENOENT, ENOTDIR, EPERM, EROFS};
  const bool mistake = std::ranges::find(kUserCanMend, error) != kUserCanMend.end();
  throw Error(fmt::format("cannot write '{}': {}", path, std::strerror(error)),
              mistake ? ExitStatus::kUsage : ExitStatus::kFailure);
}

std::string temporary_name(const std::string& path) {
  const std::string name = std::filesystem::path(path).filename().string();
  if (name.empty()) throw_usage(fmt::format("cannot write '{}': the path names a folder, not a file", path));
  return (folder_of(path) / fmt::format(".{}.tmp-{}", name, getpid())).string();
}

void sync_folder_of(const std::string& path) {
  const int folder = open(folder_of(path).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0) throw_cannot_write(path, errno);
  const int error = fsync(folder) == 0 ? 0 : errno;
  close(folder);
  // EINVAL: this file system cannot sync folders (some network and FUSE ones); the name is then as safe as it
  // gets.
  if (error != 0 && error != EINVAL) throw_cannot_write(path, error);
}

AtomicFile::AtomicFile(std::string path) : path_(std::move(path)), temporary_(temporary_name(path_)) {
  descriptor_ = create_exclusively(temporary_);
  if (descriptor_ < 0 && errno == EEXIST) {
    // Left by a killed process that had our number: in a container every run may have the same.
    unlink(temporary_.c_str());
    descriptor_ = create_exclusively(temporary_);
  }
  if (descriptor_ < 0) throw_cannot_write(path_, errno);
  written_now = temporary_.c_str();
  fault_point(FaultPoint::kFileMade);
}

AtomicFile::~AtomicFile() {
  written_now = nullptr;
  if (descriptor_ >= 0) close(descriptor_);
  if (!temporary_.empty()) unlink(temporary_.c_str());
}

void AtomicFile::write(std::string_view bytes) {
  LECO_ASSERT(descriptor_ >= 0);
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor_, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) throw_cannot_write(path_, errno);
    bytes.remove_prefix(static_cast<size_t>(written));
  }
}

void AtomicFile::commit() {
  LECO_ASSERT(descriptor_ >= 0);
  if (fault_point(FaultPoint::kFileFilled) == Fault::kNoSpace) throw_cannot_write(path_, ENOSPC);
  if (fsync(descriptor_) != 0) throw_cannot_write(path_, errno);
  fault_point(FaultPoint::kFileSynced);
  // Network file systems report a failed write only here. The descriptor is gone in either case.
  const bool closed = close(descriptor_) == 0;
  descriptor_ = -1;
  if (!closed) throw_cannot_write(path_, errno);
  if (rename(temporary_.c_str(), path_.c_str()) != 0) throw_cannot_write(path_, errno);
  written_now = nullptr;
  temporary_.clear();
  fault_point(FaultPoint::kFileNamed);
  sync_folder_of(path_);
}

void remove_temporary_file() noexcept {
  if (const char* name = written_now) unlink(name);
}

void write_file_atomically(const std::string& path, std::string_view contents) {
  AtomicFile file(path);
  file.write(contents);
  file.commit();
}

}  // namespace leco
