// Files that are whole or absent: temporary name in the same folder, fsync, rename, fsync of the folder.
#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace leco {

class AtomicFile {
 public:
  explicit AtomicFile(std::string path);  // creates the temporary file
  ~AtomicFile();                          // removes it unless commit() was reached
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(std::string_view bytes);  // throws Error with the system's reason (disk full, …)
  void commit();                       // the file now has its name and is on the disk

 private:
  std::string path_;
  std::string temporary_;
  int descriptor_ = -1;
};

void write_file_atomically(const std::string& path, std::string_view contents);

}  // namespace leco
