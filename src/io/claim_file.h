// Who may write some files: whoever made the claim file beside them. It is made with O_EXCL, says who the
// owner is, and is kept fresh while the owner lives, so that two starts never write the same files, and what
// a killed process left is taken over without asking.
//
// An owner on this machine (same boot, same process numbers) is dead when its process is. Of any other only
// the file's age tells: it is touched every ten seconds, and its time is compared with that of a file made
// now in the same folder, so the clocks of two machines do not matter. A clock that jumps makes a file look
// old that is then touched again; so an owner looks whether the file is still its own (is_lost).
#pragma once

#include <memory>
#include <string>

namespace leco {

class ClaimFile {
 public:
  // Null when a living owner has it; `holder` then says who: "process 12 on host node7, since 10:31:00".
  // Errors as AtomicFile's.
  static std::unique_ptr<ClaimFile> take(const std::string& path, std::string& holder);
  // Who has it, in the same words; empty where nobody does, or a dead owner. Errors as AtomicFile's.
  static std::string living_owner(const std::string& path);
  ~ClaimFile();  // gives it up: removes the file while it is ours
  ClaimFile(const ClaimFile&) = delete;
  ClaimFile& operator=(const ClaimFile&) = delete;

  // Somebody else has it: nothing may be written any more.
  bool is_lost() const;

  static constexpr int kRefreshSeconds = 10;
  static constexpr int kStaleSeconds = 60;  // without a touch: the owner is taken for dead

 private:
  struct Heart;
  enum class There { kOurs, kAnothers, kNothing };
  There look() const;
  ClaimFile(std::string path, int descriptor);
  std::string path_;
  std::unique_ptr<Heart> heart_;
};

}  // namespace leco
