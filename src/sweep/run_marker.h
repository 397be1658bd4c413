// What a sweep leaves in a run's folder beside the run's own files: sweep.trained.json when its training has
// finished and its evaluation has not, sweep.done.json when all has, sweep.failed.json when it failed for the
// last time. Each is whole or absent.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace leco {

// Stands among a run's settings for its prompts.
inline constexpr const char* kPromptsChecksum = "the prompts' checksum";

using NamedTexts = std::vector<std::pair<std::string, std::string>>;

struct DoneMarker {
  struct File {
    std::string name;  // in the run's folder
    uint64_t bytes = 0;
    std::string sha256;
  };
  std::string run;
  NamedTexts settings = {};      // what decides the result, as the sweep's file asked for it
  std::vector<File> files = {};  // the LoRA files first
  double seconds = 0;            // of training, without what an earlier start did
  double evaluation_seconds = 0;
  std::optional<double> final_loss = {};  // absent where no step was left to do
  double cost = 0;                        // expected, to tell the speed
  int64_t ranks = 1;
};

struct FailedMarker {
  std::string error;  // one line
  int64_t attempts = 1;
  double seconds = 0;  // of all of them
};

std::string trained_path(const std::string& folder);
std::string done_path(const std::string& folder);
std::string failed_path(const std::string& folder);

// With sizes and checksums of `names` in the folder.
DoneMarker with_files(DoneMarker marker, const std::string& folder, const std::vector<std::string>& names);

void write_trained(const std::string& folder, const DoneMarker& marker);
void write_done(const std::string& folder, const DoneMarker& marker);  // and removes the other two
void write_failed(const std::string& folder, const FailedMarker& marker);

// A finished run is to be gone on with: nobody takes it for finished any more, and what was trained is known.
// Nothing happens where it is not finished.
void reopen_done(const std::string& folder);

// Nothing where there is none, or none that this version reads.
std::optional<DoneMarker> read_trained(const std::string& folder);
std::optional<DoneMarker> read_done(const std::string& folder);
std::optional<FailedMarker> read_failed(const std::string& folder);

// What is wrong with the files that a marker names and that lie beside it, as half a sentence; empty where
// all are as they were. Checksums are compared of files that were touched after the marker was written.
std::string damage_of(const std::string& path, const DoneMarker& marker);

// "learning_rate is 0.001 there and 0.002 here"; the settings that both name and that differ. A value that a
// run was to choose for itself (an empty text) differs from none. Of the prompts' checksums: "the prompts are
// others".
std::vector<std::string> differences(const NamedTexts& there, const NamedTexts& here);

}  // namespace leco
