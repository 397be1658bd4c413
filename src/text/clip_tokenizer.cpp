#include "text/clip_tokenizer.h"

#include <fmt/format.h>

#include "core/error.h"

// clip_merges.txt (OpenAI's CLIP, MIT licence: bpe_simple_vocab_16e6.txt as merges.txt) as it is, in the
// program's constants: nothing to find or to read when a job of many ranks starts.
asm(R"(
  .section .rodata
  .global leco_clip_merges, leco_clip_merges_end
leco_clip_merges:
  .incbin ")" LECO_CLIP_MERGES R"("
leco_clip_merges_end:
  .previous
)");
extern "C" const char leco_clip_merges[], leco_clip_merges_end[];

namespace leco {
namespace {

std::optional<std::string> read_optional(FileSource& files, const std::string& path) {
  return files.exists(path) ? std::optional(files.read(path)) : std::nullopt;
}

}  // namespace

TokenizerFiles clip_tokenizer(bool pads_with_zero) {
  TokenizerFiles files;
  files.folder = "the built-in tokenizer of CLIP";
  files.merges_txt.assign(leco_clip_merges, leco_clip_merges_end);
  if (pads_with_zero) files.special_tokens_map_json = R"({"pad_token": "!"})";
  return files;
}

TokenizerFiles read_tokenizer_folder(FileSource& files, const std::string& folder) {
  const std::string vocab = folder + "/vocab.json", merges = folder + "/merges.txt";
  for (const std::string& path : {vocab, merges}) {
    if (!files.exists(path)) {
      throw_usage(
          fmt::format("no such file: '{}'; a tokenizer's folder holds vocab.json and merges.txt", path));
    }
  }
  return {.folder = folder,
          .vocab_json = files.read(vocab),
          .merges_txt = files.read(merges),
          .tokenizer_config_json = read_optional(files, folder + "/tokenizer_config.json"),
          .special_tokens_map_json = read_optional(files, folder + "/special_tokens_map.json"),
          .added_tokens_json = read_optional(files, folder + "/added_tokens.json")};
}

}  // namespace leco
