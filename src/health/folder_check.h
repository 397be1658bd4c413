// Whether files can be kept in a folder: made, brought to the disk, read back, and how much room there is.
#pragma once

#include <cstdint>
#include <string>

#include "health/check.h"

namespace leco {

struct FolderFacts {
  std::string path;          // as the user named it
  std::string trouble = {};  // why a file could not be kept there
  int64_t free_bytes = 0;    // for this user
  double seconds = 0;        // to bring a file of 1 MB to the disk
  bool is_in_memory = false;
};

// The folder, or the nearest folder above it that there is: where a missing one would be made.
std::string existing_part(const std::string& path);

// A file that is kept as training keeps its own (io/atomic_file.h), and removed in the end.
class FolderTrial {
 public:
  // Writes `path`/`name`, or the same in existing_part(). Throws nothing; facts() says what went wrong.
  FolderTrial(std::string path, const std::string& name);
  ~FolderTrial();
  FolderTrial(const FolderTrial&) = delete;
  FolderTrial& operator=(const FolderTrial&) = delete;

  const FolderFacts& facts() const { return facts_; }
  // Whether the file is seen at its place: asked on another node than the one that wrote it.
  static bool is_seen(const std::string& path, const std::string& name);

 private:
  void write();
  FolderFacts facts_;
  std::string file_;
};

Check folder_check(const FolderFacts& facts);

// Of a node that does not write; `is_seen` as above.
Check other_node_check(const std::string& path, bool is_seen);

}  // namespace leco
