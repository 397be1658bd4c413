// What people write by hand: prompt files, sweeps and sample prompts, the same bytes in each of their forms.
#include <cmath>
#include <cstdint>

#include "config/prompt_file.h"
#include "config/prompt_writer.h"
#include "config/sample_prompts.h"
#include "core/utf8.h"
#include "sweep/sweep_spec.h"
#include "tests/fuzz/refusal.h"

using namespace leco;

namespace {

// A file system of one file.
ReadFile only(const std::string& path, const std::string& text) {
  return [path, text](const std::string& asked) {
    if (asked != path) throw_usage("no such file");
    return text;
  };
}

void check_pair(const PromptPair& pair) {
  for (const std::string* prompt : {&pair.target, &pair.positive, &pair.unconditional, &pair.neutral})
    fuzz::require(is_utf8(*prompt) && prompt->find('\0') == std::string::npos, "prompts are texts");
  for (const int64_t side : {pair.resolution.height, pair.resolution.width})
    fuzz::require(side >= 8 && side <= 16384 && side % 8 == 0, "pixels in eights");
  fuzz::require(pair.batch_size >= 1 && pair.batch_size <= 65536, "a batch size");
  for (const double number : {pair.guidance_scale, pair.multiplier, pair.weight})
    fuzz::require(std::isfinite(static_cast<float>(number)), "finite numbers");
}

// What is read is written, and read back as the same.
void read_prompts(const std::string& path, const std::string& text) {
  PromptFile file;
  if (!fuzz::is_read([&] { file = load_prompt_file(path, only(path, text)); })) return;
  fuzz::require(!file.pairs.empty(), "there is something to train");
  for (const PromptPair& pair : file.pairs) check_pair(pair);
  constexpr size_t kMostWritten =
      20'000;  // bytes; many pairs come of few, and the file may be over its limit
  const std::string written = prompt_file_text(file.pairs, file.recorded_as);
  if (written.size() > kMostWritten) return;
  const PromptFile again = load_prompt_file("w.toml", only("w.toml", written));
  fuzz::require(prompt_file_text(again.pairs, again.recorded_as) == written, "what is written is read back");
}

void read_sweep(const std::string& text) {
  SweepSpec spec;
  if (!fuzz::is_read([&] { spec = parse_sweep_spec("s.yaml", text); })) return;
  for (const ConfigNode& slider : spec.sliders)
    for (const bool keeps_lines : {true, false}) {
      const std::string file = slider_file(slider, "folder", keeps_lines);
      fuzz::is_read([&] { load_prompt_file("p.yaml", only("p.yaml", file)); });
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  for (const char* path : {"p.toml", "p.yaml"}) read_prompts(path, text);
  read_sweep(text);
  for (const char* path : {"p.txt", "p.toml", "p.json"})
    fuzz::is_read([&] { load_sample_prompts(path, only(path, text)); });
  return 0;
}
