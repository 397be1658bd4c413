#include "text/text_encoder_source.h"

#include <fmt/format.h>

#include "core/error.h"

namespace leco {
namespace {

std::optional<std::string> read_optional(FileSource& files, const std::string& path) {
  return files.exists(path) ? std::optional(files.read(path)) : std::nullopt;
}

TokenizerFiles read_tokenizer(FileSource& files, const std::string& folder) {
  const std::string vocab = folder + "/vocab.json", merges = folder + "/merges.txt";
  for (const std::string& path : {vocab, merges}) {
    if (!files.exists(path)) {
      throw_usage(fmt::format(
          "no such file: '{}'; a Diffusers folder holds its tokenizer as vocab.json and merges.txt", path));
    }
  }
  return {.folder = folder,
          .vocab_json = files.read(vocab),
          .merges_txt = files.read(merges),
          .tokenizer_config_json = read_optional(files, folder + "/tokenizer_config.json"),
          .special_tokens_map_json = read_optional(files, folder + "/special_tokens_map.json"),
          .added_tokens_json = read_optional(files, folder + "/added_tokens.json")};
}

std::string weights_path(FileSource& files, const std::string& folder) {
  const std::string path = folder + "/model.safetensors";
  if (files.exists(path)) return path;
  for (const char* other : {"pytorch_model.bin", "model.fp16.safetensors", "pytorch_model.fp16.bin"}) {
    if (!files.exists(folder + "/" + other)) continue;
    const bool is_pickle = std::string_view(other).ends_with(".bin");
    throw_usage(fmt::format("'{}' is missing: the folder holds only '{}'; {}", path, other,
                            is_pickle ? "convert it (in Python: CLIPTextModel.from_pretrained(folder)"
                                        ".save_pretrained(folder, safe_serialization=True))"
                                      : "rename it to model.safetensors"));
  }
  throw_usage(fmt::format("no such file: '{}'", path));
}

}  // namespace

TextEncoderSource open_text_encoder(FileSource& files, const std::string& model_folder,
                                    const std::string& encoder, const std::string& tokenizer) {
  TokenizerFiles texts = read_tokenizer(files, model_folder + "/" + tokenizer);
  const std::string folder = model_folder + "/" + encoder, config_path = folder + "/config.json";
  const ClipTextConfig config = parse_clip_text_config(files.read(config_path), config_path);
  return {.config = config,
          .weights = files.open_safetensors(weights_path(files, folder)),
          .tokenizer = std::move(texts)};
}

}  // namespace leco
