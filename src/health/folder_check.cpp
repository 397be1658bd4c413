#include "health/folder_check.h"

#include <fmt/format.h>
#include <linux/magic.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>

#include "core/error.h"
#include "core/read_file.h"
#include "io/atomic_file.h"

namespace leco {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kLeast = int64_t{64} << 20;  // less than one state of the smallest LoRA of SDXL
constexpr int64_t kRoomy = int64_t{2} << 30;   // a few states of the largest
constexpr double kSlowSeconds = 2;
constexpr size_t kTrialBytes = size_t{1} << 20;

std::string trial_contents() {
  std::string text(kTrialBytes, '\0');
  for (size_t i = 0; i < text.size(); ++i) text[i] = static_cast<char>(i * 31 >> 3);
  return text;
}

std::string place_of(const std::string& path, const std::string& name) {
  return (fs::path(existing_part(path)) / name).string();
}

}  // namespace

std::string existing_part(const std::string& path) {
  std::error_code unknown;
  fs::path part = path.empty() ? fs::path(".") : fs::path(path);
  while (!fs::exists(part, unknown) && part.has_relative_path()) part = part.parent_path();
  return part.empty() ? "." : part.string();
}

FolderTrial::FolderTrial(std::string path, const std::string& name)
    : facts_{.path = std::move(path)}, file_(place_of(facts_.path, name)) {
  const std::string folder = existing_part(facts_.path);
  struct statvfs room {};
  struct statfs kind {};
  if (statvfs(folder.c_str(), &room) != 0 || statfs(folder.c_str(), &kind) != 0) {
    facts_.trouble = fmt::format("'{}': {}", folder, std::strerror(errno));
    return;
  }
  facts_.free_bytes = static_cast<int64_t>(room.f_bavail) * static_cast<int64_t>(room.f_frsize);
  facts_.is_in_memory = kind.f_type == TMPFS_MAGIC || kind.f_type == RAMFS_MAGIC;
  try {
    write();
  } catch (const Error& error) {
    facts_.trouble = error.what();
  }
}

void FolderTrial::write() {
  const std::string contents = trial_contents();
  const auto begin = std::chrono::steady_clock::now();
  write_file_atomically(file_, contents);
  facts_.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  if (read_local_file(file_) != contents)
    facts_.trouble = fmt::format("'{}' reads back otherwise than it was written", file_);
}

FolderTrial::~FolderTrial() {
  std::error_code gone;
  fs::remove(file_, gone);
}

bool FolderTrial::is_seen(const std::string& path, const std::string& name) {
  std::error_code unknown;
  return fs::file_size(place_of(path, name), unknown) == kTrialBytes;
}

Check folder_check(const FolderFacts& facts) {
  const std::string name = "output folder", free = size_text(facts.free_bytes) + " free";
  if (facts.free_bytes < kLeast)
    return {name, Verdict::kFailed, fmt::format("'{}' has {}, too little for one state", facts.path, free),
            "make room, or choose another --output_dir"};
  if (!facts.trouble.empty())
    return {name, Verdict::kFailed, facts.trouble, "choose another --output_dir, or mend its permissions"};
  const std::string found =
      fmt::format("'{}': {}, 1 MB on the disk in {:.0f} ms", facts.path, free, facts.seconds * 1e3);
  if (facts.is_in_memory)
    return {name, Verdict::kWarning, found + "; it lies in memory (tmpfs) and is lost with the machine",
            "choose an --output_dir on a disk"};
  if (facts.free_bytes < kRoomy)
    return {name, Verdict::kWarning, found + "; that may be too little for the states of a long run",
            "make room, or keep fewer with --save_last_n_steps_state"};
  if (facts.seconds > kSlowSeconds)
    return {name, Verdict::kWarning, found + "; that is slow, and every save waits for it",
            "save less often (--save_every_n_steps), or choose another --output_dir"};
  return {name, Verdict::kOk, found};
}

Check other_node_check(const std::string& path, bool is_seen) {
  if (is_seen) return {"shared folder", Verdict::kOk, "the nodes see the same files"};
  return {
      "shared folder", Verdict::kWarning,
      fmt::format("a file that rank 0 wrote into '{}' is not seen here", path),
      "only rank 0's node will have the files of leco train; leco sweep needs a folder that all nodes share"};
}

}  // namespace leco
