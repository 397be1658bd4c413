// The pictures that `leco sample` and the previews draw: sd-scripts' sample-prompt files, and the scale of
// the LoRA.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/read_file.h"

namespace leco {

// One line of a file. What is absent there is absent here: whoever draws has the defaults.
struct SamplePrompt {
  std::string prompt = {};
  std::optional<std::string> negative_prompt = {};  // --n, negative_prompt
  std::optional<int64_t> width = {};                // --w, width; pixels, a multiple of 8
  std::optional<int64_t> height = {};               // --h, height; likewise
  std::optional<uint64_t> seed = {};                // --d, seed
  std::optional<int64_t> sample_steps = {};         // --s, sample_steps; 1 … 1000
  std::optional<double> guidance_scale = {};        // --l, scale
  std::optional<std::string> sample_sampler = {};   // --ss, sample_sampler; its name is not checked here
  std::vector<double> multipliers = {};             // --m, multiplier; the LoRA's scales; empty where absent
  std::string place = {};                           // "p.txt, line 3", for messages
};

// One prompt or more. By the name's end:
//   .txt   a prompt a line with options behind it, "a cat --w 512 --d 7"; empty lines and lines that begin
//   with # are
//          left out
//   .toml  [prompt] with defaults and [[prompt.subset]]
//   .json  a list of objects, or of lines as in .txt
// Usage error that names file, line (in JSON the entry) and option for everything else.
std::vector<SamplePrompt> load_sample_prompts(const std::string& path, const ReadFile& read);

}  // namespace leco
