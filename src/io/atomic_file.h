// Files that are whole or absent: temporary name in the same folder, fsync, rename, fsync of the folder.
#pragma once

#include <string>
#include <string_view>

namespace leco {

// The temporary name is ".<name>.tmp-<process id>", so that what a killed process leaves can be recognised.
// Errors carry the path and the system's reason. A folder that is missing or closed to us is the user's
// mistake (usage error); a full disk is a failure of the run.
class AtomicFile {
 public:
  explicit AtomicFile(std::string path);  // creates the temporary file
  ~AtomicFile();                          // removes it unless commit() was reached
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(std::string_view bytes);
  void
  commit();  // the file now has its name and is on the disk; to be called once, nothing is written after it

 private:
  std::string path_;
  std::string temporary_;  // empty once there is none to remove
  int descriptor_ = -1;
};

// For a handler of a signal that ends the process: removes the temporary file that is being written, if any.
// Async-signal-safe.
void remove_temporary_file() noexcept;

void write_file_atomically(const std::string& path, std::string_view contents);

// For others who write so.
std::string temporary_name(const std::string& path);  // ".<name>.tmp-<process id>" in the same folder
void sync_folder_of(const std::string& path);         // a rename is on the disk only when its folder is
[[noreturn]] void throw_cannot_write(const std::string& path, int error);  // errno's value

}  // namespace leco
