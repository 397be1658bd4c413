#include "text/prompt_embeddings.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <span>

#include "core/error.h"
#include "core/log.h"
#include "text/clip_text.h"
#include "text/tokenizer.h"

namespace leco {
namespace {

std::optional<std::string> read_optional(FileSource& files, const std::string& path) {
  return files.exists(path) ? std::optional(files.read(path)) : std::nullopt;
}

Tokenizer read_tokenizer(FileSource& files, const std::string& folder) {
  const std::string vocab = folder + "/vocab.json", merges = folder + "/merges.txt";
  for (const std::string& path : {vocab, merges}) {
    if (!files.exists(path)) {
      throw_usage(fmt::format(
          "no such file: '{}'; a Diffusers folder holds its tokenizer as vocab.json and merges.txt", path));
    }
  }
  return Tokenizer({.folder = folder,
                    .vocab_json = files.read(vocab),
                    .merges_txt = files.read(merges),
                    .tokenizer_config_json = read_optional(files, folder + "/tokenizer_config.json"),
                    .special_tokens_map_json = read_optional(files, folder + "/special_tokens_map.json"),
                    .added_tokens_json = read_optional(files, folder + "/added_tokens.json")});
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

ClipText read_clip_text(FileSource& files, const std::string& folder, torch::Device device) {
  const std::string config_path = folder + "/config.json";
  const ClipTextConfig config = parse_clip_text_config(files.read(config_path), config_path);
  StateDict weights = files.open_safetensors(weights_path(files, folder));
  ClipText encoder(config, weights, device, torch::kFloat32);
  const std::vector<std::string> left = weights.left();
  if (!left.empty()) {
    log::warning(fmt::format("'{}': {} tensors are not part of a CLIP text encoder and are not used: {}",
                             weights.origin(), left.size(), fmt::join(left, ", ")));
  }
  return encoder;
}

void warn_of_cut(const std::string& prompt, const Tokenizer& tokenizer, std::span<const int64_t> tokens) {
  log::warning(fmt::format("the prompt {:?} has {} tokens, {} more than fit; cut: {:?}", prompt,
                           tokens.size(), tokens.size() - Tokenizer::kMostTokens,
                           tokenizer.text_of(tokens.subspan(Tokenizer::kMostTokens))));
}

std::vector<int64_t> ids_of(const std::string& prompt, const Tokenizer& tokenizer,
                            const ClipTextConfig& config) {
  const std::vector<int64_t> tokens = tokenizer.tokens(prompt);
  if (static_cast<int64_t>(tokens.size()) > Tokenizer::kMostTokens) warn_of_cut(prompt, tokenizer, tokens);
  std::vector<int64_t> ids = tokenizer.framed(tokens);
  if (const int64_t greatest = std::ranges::max(ids); greatest >= config.vocab_size) {
    throw_usage(fmt::format(
        "the prompt {:?} holds token {} ({:?}), but the text encoder's vocab_size is {}: tokenizer/ "
        "and text_encoder/ do not belong together",
        prompt, greatest, tokenizer.text_of(std::span(&greatest, 1)), config.vocab_size));
  }
  return ids;
}

}  // namespace

const torch::Tensor& PromptEmbeddings::at(const std::string& prompt) const {
  const auto found = by_prompt_.find(prompt);
  if (found == by_prompt_.end())
    throw Error(fmt::format("internal: the prompt {:?} was not encoded", prompt));
  return found->second;
}

PromptEmbeddings encode_prompts(FileSource& files, const std::string& model_folder,
                                const std::vector<std::string>& prompts, torch::Device device) {
  const Tokenizer tokenizer = read_tokenizer(files, model_folder + "/tokenizer");
  const ClipText encoder = read_clip_text(files, model_folder + "/text_encoder", device);
  std::map<std::string, torch::Tensor> embeddings;
  for (const std::string& prompt : prompts) {
    if (embeddings.contains(prompt)) continue;
    std::vector<int64_t> ids = ids_of(prompt, tokenizer, encoder.config());
    const torch::Tensor batch = at::from_blob(ids.data(), {1, Tokenizer::kLength}, torch::kInt64);
    embeddings.emplace(prompt, encoder(batch).squeeze(0));
  }
  return PromptEmbeddings(std::move(embeddings));
}

}  // namespace leco
