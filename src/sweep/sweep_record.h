// What is asked of the runs in a sweep's folder, by all that share it: sweep.json there. Whoever starts reads
// it, and whoever takes a run looks whether it is still the same, so that two sweeps that ask for different
// settings of the same runs do not mix what they train.
#pragma once

#include <sys/stat.h>

#include <string>
#include <vector>

#include "sweep/run_marker.h"

namespace leco {

class SweepRecord {
 public:
  struct Run {
    const std::string& name;
    const NamedTexts& settings;  // what decides its result
  };

  explicit SweepRecord(const std::string& output_dir);

  // "for 'size' seed is 1 there and 2 here" where another start asks for other settings; empty where none
  // does. Runs that the record lacks are added to it. One file operation where it is as it was at the last
  // call. Errors as AtomicFile's.
  std::string agree(const std::vector<Run>& runs);

  // What is asked for from now on is this, whatever stood there.
  void replace(const std::vector<Run>& runs);

  const std::string& path() const { return path_; }

 private:
  struct Contents;
  void write(const Contents& contents);

  const std::string path_;
  struct stat known_ {};  // of the file that was agreed with; all zero before there is one
};

}  // namespace leco
