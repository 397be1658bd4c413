// From a LoRA's metadata back to a training that makes the same file.
#pragma once

#include <string>
#include <vector>

#include "io/file_source.h"
#include "report/lora_report.h"

namespace leco {

// What the metadata does not hold, since paths do not determine a result. Each may be empty.
struct RunSources {
  std::string folder;           // that the files of the run go to
  std::string model;            // as --pretrained_model_name_or_path
  std::string network_weights;  // as --network_weights
  std::string tokenizers;       // as --tokenizer_cache_dir
};

struct RunFiles {
  std::string run;                   // TOML for --config_file
  std::string prompts;               // TOML for --prompts_file
  std::vector<std::string> notices;  // why the bytes may come out differently all the same, a line each
};

// Every setting and pair is read back by the readers of leco train and must come out as it is stored. Given
// model and LoRA are held to the stored SHA-256. Usage errors: a file without what leco train stores, one
// whose settings this version does not know, another model.
RunFiles run_files_of(const LoraReport& lora, const RunSources& sources, FileSource& files);

// Writes run.toml and prompts.toml into the folder and returns their paths. Usage error when one is there
// already.
std::vector<std::string> write_run_files(const RunFiles& run, const std::string& folder);

}  // namespace leco
