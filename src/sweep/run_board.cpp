#include "sweep/run_board.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <filesystem>

#include "core/error.h"
#include "sweep/run_marker.h"

namespace leco {
namespace {

bool is_there(const timespec& time) {
  return time.tv_sec != 0 || time.tv_nsec != 0;
}

bool is_new(const timespec& time, const timespec& old) {
  return is_there(time) && (time.tv_sec != old.tv_sec || time.tv_nsec != old.tv_nsec);
}

}  // namespace

std::string claim_path(const std::string& folder) {
  return (std::filesystem::path(folder) / "sweep.claim").string();
}

timespec time_of_file(const std::string& path) {
  struct stat status {};
  return stat(path.c_str(), &status) == 0 ? status.st_mtim : timespec{};
}

FolderBoard::FolderBoard(std::vector<std::string> folders, std::vector<OldMarkers> old)
    : folders_(std::move(folders)), old_(std::move(old)) {
  LECO_ASSERT(folders_.size() == old_.size());
}

// Finished, or failed as often as it may; then `state` says which.
bool FolderBoard::is_closed(size_t run, RunState& state) const {
  const std::string& folder = folders_[run];
  if (is_new(time_of_file(done_path(folder)), old_[run].done))
    state = RunState::kDone;
  else if (is_new(time_of_file(failed_path(folder)), old_[run].failed))
    state = RunState::kFailed;
  else
    return false;
  return true;
}

RunState FolderBoard::look(size_t run) {
  if (!is_there(time_of_file(folders_[run]))) return RunState::kFree;
  // The claim is looked at first: it is given up after the marker was written.
  const bool is_taken = is_there(touched(run));
  RunState state = is_taken ? RunState::kTaken : RunState::kFree;
  is_closed(run, state);
  return state;
}

timespec FolderBoard::touched(size_t run) {
  return time_of_file(claim_path(folders_[run]));
}

std::unique_ptr<ClaimFile> FolderBoard::claim(size_t run) {
  std::error_code failure;
  std::filesystem::create_directories(folders_[run], failure);
  if (failure) throw_usage(fmt::format("cannot make the folder '{}': {}", folders_[run], failure.message()));
  std::string holder;
  auto claim = ClaimFile::take(claim_path(folders_[run]), holder);
  RunState state;
  if (!claim || is_closed(run, state))
    return nullptr;            // it may have been finished between the look and the claim
  reopen_done(folders_[run]);  // an old one, that does not count
  return claim;
}

}  // namespace leco
