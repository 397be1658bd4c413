// Which of a sweep's runs are free, seen through the files in their folders, so that ranks, array tasks and
// separate jobs share the work without a server. A run is taken while its claim file's owner lives.
#pragma once

#include <ctime>
#include <memory>
#include <string>
#include <vector>

#include "io/claim_file.h"

namespace leco {

enum class RunState { kFree, kTaken, kDone, kFailed };

class RunBoard {
 public:
  virtual ~RunBoard() = default;
  // At most four file operations, none of which lists a folder. Says kTaken also of what a dead owner left.
  virtual RunState look(size_t run) = 0;
  // Null where a living owner has it, or where it is finished or has failed meanwhile. Throws Error where its
  // folder cannot be made or written.
  virtual std::unique_ptr<ClaimFile> claim(size_t run) = 0;
  // When a claim was last touched, by the file system's clock; {0, 0} where there is none.
  virtual timespec touched(size_t run) = 0;
};

// Times of the markers that were there at the start and do not count: of a run that is to be done again. A
// marker of another time is somebody's of now.
struct OldMarkers {
  timespec done = {}, failed = {};
};

class FolderBoard final : public RunBoard {
 public:
  // `folders` and `old` of each run.
  FolderBoard(std::vector<std::string> folders, std::vector<OldMarkers> old);
  RunState look(size_t run) override;
  std::unique_ptr<ClaimFile> claim(size_t run) override;
  timespec touched(size_t run) override;

 private:
  bool is_closed(size_t run, RunState& state) const;
  std::vector<std::string> folders_;
  std::vector<OldMarkers> old_;
};

std::string claim_path(const std::string& folder);

// When the file was written; {0, 0} where there is none.
timespec time_of_file(const std::string& path);

}  // namespace leco
