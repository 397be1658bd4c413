// What a run continues from (SPEC section 6): the folder that --save_state writes and --resume reads.
//
//   <output_name>-step00000100-state/    <output_name>-state/ at the end
//     lora.safetensors        the weights that are trained, float32, named as in a LoRA file
//     optimizer.safetensors   the optimizer's tensors
//     state.json              step, N, seed, settings, prompts, model; the optimizer's numbers
//     DONE                    sizes and checksums (io/whole_folder.h)
//
// It says nothing of ranks, hosts or dates: equal runs leave equal states, and any number of ranks goes on.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "config/settings.h"
#include "io/file_source.h"
#include "train/trainer.h"

namespace leco {

// The part that is text.
struct StateRecord {
  using Entries = std::vector<std::pair<std::string, std::string>>;

  int64_t step = 0;  // finished steps
  uint64_t seed = 0;
  int64_t pairs_per_step = 1, threads = 1;     // fixed at the first start
  int64_t max_train_steps = 1;                 // of the run that saved it
  double lr_decay_steps = 0;                   // the same
  Entries settings;                            // those that determine the result, as text
  std::string pairs;                           // as JSON
  Entries model_files;                         // → SHA-256
  std::string device;                          // kind: "cpu", or the GPU's name
  std::string instructions;                    // of the CPU, as libtorch names them: "AVX512"; "": not known
  std::string version;                         // of the program
  std::map<std::string, double> numbers = {};  // the optimizer's
  LossScale::State loss_scale = {};
};

std::string state_path(const TrainSettings& settings, int64_t finished_steps);

// Whole or not at all. One rank calls it.
void save_state(const std::string& folder, const StateRecord& record, const Trainer& trainer);

// Collective, as `files` is. Usage errors that name the folder.
StateRecord read_state_record(FileSource& files, const std::string& folder);
void load_state(FileSource& files, const std::string& folder, const StateRecord& record, Trainer& trainer);

// The complete state of the highest step of this output name; nothing where there is none. What was passed
// over is told in `notices`, a line each. One rank calls it: it reads all files of the states it looks at.
std::optional<std::string> newest_state(const TrainSettings& settings, std::vector<std::string>& notices);

// Removes this output name's states of more than `most` steps before `step`. One rank calls it.
void remove_old_states(const TrainSettings& settings, int64_t step, int64_t most);

// The state of the highest step of this output name, complete or not; nothing where there is none. One rank
// calls it; it reads no more than state.json of each.
std::optional<std::string> highest_state(const TrainSettings& settings);

// The states of this output name, which are of a run before this one, get the ending ".earlier", so that
// nobody goes on from them unasked; those that had it are removed. One rank calls it.
void set_aside_states(const TrainSettings& settings);

// Removes what killed processes left of this output name's files. To be called by the owner of these names.
void remove_leftovers(const TrainSettings& settings);

}  // namespace leco
