// Named points at which a test breaks the program on purpose: kills the process, hangs, spoils a number. In
// the program itself fault_point() does nothing and knows no names; tests/faults links the same objects with
// another body of it, into a program of its own.
#pragma once

#include <cstdint>

namespace leco {

enum class FaultPoint {
  kStart,       // of a training, before it catches signals
  kWeight,      // before a weight is read from a file, or received from the rank that reads
  kStep,        // a step begins; says which
  kRollout,     // before a pack's rollout
  kGradient,    // a pack's gradient is there
  kMessage,     // before the step message
  kMerge,       // before the merge
  kUpdated,     // the weights are new, nothing of the step is written
  kMetrics,     // the step's line is written, no file
  kSaved,       // the step's files are written
  kDrawing,     // before a sampler's step of a row of pictures
  kPicture,     // of a row of pictures: its latents are there
  kMeasure,     // before a point of an evaluation is measured
  kFileMade,    // of a file that is whole or absent: the temporary file is there, empty,
  kFileFilled,  // is filled,
  kFileSynced,  // is on the disk,
  kFileNamed,   // has its name
  kFolderMade,  // of a folder that is whole or absent: the temporary one is there,
  kFolderDone,  // is complete, with DONE,
  kFolderNamed  // has its name
};

// What the caller is to act as if it had met.
enum class Fault { kNone, kNotFinite, kNoSpace };

// `step`: finished steps once it is done, so from 1; 0 where it is not known and the last one counts.
Fault fault_point(FaultPoint point, int64_t step = 0);

}  // namespace leco
