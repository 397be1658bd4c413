// Folders that are whole or absent. Files are written into ".<name>.tmp-<process id>" beside the folder, each
// brought to the disk; then DONE, a manifest of their sizes and SHA-256; only then the folder gets its name.
// So a folder without DONE, or with files that do not fit it, was damaged later, and is told apart.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace leco {

class WholeFolder {
 public:
  explicit WholeFolder(std::string path);  // makes the temporary folder; errors as AtomicFile's
  ~WholeFolder();                          // removes it unless commit() was reached
  WholeFolder(const WholeFolder&) = delete;
  WholeFolder& operator=(const WholeFolder&) = delete;

  void write(const std::string& name, std::string_view bytes);
  // The folder now has its name and is on the disk. What had the name before is gone.
  void commit();

 private:
  struct File {
    std::string name;
    size_t bytes;
    std::string sha256;
  };
  std::string path_, temporary_;  // the latter empty once there is none to remove
  std::vector<File> files_;
};

// What is wrong with a folder that WholeFolder wrote, as half a sentence ("DONE is missing"); empty when
// every file has the size and the checksum of the manifest. Reads all of them.
std::string damage_of(const std::string& folder);

}  // namespace leco
