#include "text/prompt_embeddings.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>
#include <span>

#include "core/error.h"
#include "core/log.h"
#include "text/clip_projection.h"
#include "text/clip_text.h"
#include "text/tokenizer.h"

namespace leco {
namespace {

using torch::Tensor;

// Which hidden state a family takes as the context.
struct HiddenChoice {
  int64_t layers;  // that it has passed
  bool final_norm;
};

HiddenChoice choose_hidden(const TextSettings& settings, const ClipTextConfig& config,
                           const std::string& origin) {
  const int64_t count = config.num_hidden_layers;
  if (settings.kind == TextSettings::Kind::kSdxl) return {.layers = count - 1, .final_norm = false};
  const int64_t skip = settings.clip_skip.value_or(1);
  if (skip < 1 || skip > count + 1) {
    throw_usage(
        fmt::format("--clip_skip={} is not possible: '{}' has {} layers, so 1 (the last) to {} (before "
                    "the first) are",
                    skip, origin, count, count + 1));
  }
  return {.layers = count + 1 - skip, .final_norm = true};
}

// One text encoder of a model, for as long as prompts are encoded.
class PromptEncoder {
 public:
  PromptEncoder(TextEncoderSource& source, const TextSettings& settings, bool pools, torch::Device device)
      : origin_(source.weights.origin()),
        tokenizer_folder_(source.tokenizer.folder),
        chunks_(settings.max_token_length / Tokenizer::kMostTokens),
        choice_(choose_hidden(settings, source.config, origin_)),
        tokenizer_(source.tokenizer),
        encoder_(source.config, source.weights, device, torch::kFloat32) {
    if (pools) projection_.emplace(source.config, source.weights, device, torch::kFloat32);
    const std::vector<std::string> left = source.weights.left();
    if (left.empty()) return;
    log::notice(fmt::format("'{}': {} tensors are not part of its text encoder and are not used: {}", origin_,
                            left.size(), fmt::join(left, ", ")));
  }

  // `cut` holds the prompts of whose cut the user has been warned.
  PromptEmbedding operator()(const std::string& prompt, std::set<std::string>& cut) const {
    std::vector<int64_t> framed = ids_of(prompt, cut);
    const Tensor ids = at::from_blob(framed.data(), {chunks_, Tokenizer::kLength}, torch::kInt64);
    const Tensor hidden = encoder_.hidden_state(ids, choice_.layers);
    PromptEmbedding result;
    result.context = joined(choice_.final_norm ? encoder_.final_norm(hidden) : hidden);
    if (projection_) result.pooled = pooled(ids, hidden);
    return result;
  }

 private:
  std::vector<int64_t> ids_of(const std::string& prompt, std::set<std::string>& cut) const {
    const std::vector<int64_t> tokens = tokenizer_.tokens(prompt);
    if (std::ssize(tokens) > most_tokens() && cut.insert(prompt).second) warn_of_cut(prompt, tokens);
    std::vector<int64_t> ids = tokenizer_.framed(tokens, chunks_);
    const int64_t greatest = std::ranges::max(ids), vocab_size = encoder_.config().vocab_size;
    if (greatest >= vocab_size) {
      throw_usage(
          fmt::format("the prompt {:?} holds token {} ({:?}), but the vocab_size of '{}' is {}: it "
                      "does not belong to the tokenizer '{}'",
                      prompt, greatest, tokenizer_.text_of(std::span(&greatest, 1)), origin_, vocab_size,
                      tokenizer_folder_));
    }
    return ids;
  }

  void warn_of_cut(const std::string& prompt, std::span<const int64_t> tokens) const {
    constexpr int64_t kMostChunks = 3;
    log::notice(fmt::format("the prompt {:?} has {} tokens, {} more than fit; cut: {:?}{}", prompt,
                            tokens.size(), std::ssize(tokens) - most_tokens(),
                            tokenizer_.text_of(tokens.subspan(static_cast<size_t>(most_tokens()))),
                            chunks_ < kMostChunks ? "; a greater --max_token_length reads more" : ""));
  }

  // (chunks, 77, D) → (75 · chunks + 2, D): the first start, what each chunk says, the last end.
  static Tensor joined(const Tensor& hidden) {
    const int64_t last = Tokenizer::kLength - 1;
    if (hidden.size(0) == 1) return hidden.squeeze(0);
    return at::cat({hidden[0].narrow(0, 0, 1), hidden.narrow(1, 1, Tokenizer::kMostTokens).flatten(0, 1),
                    hidden[-1].narrow(0, last, 1)});
  }

  // Of the first chunk, as in sd-scripts. `hidden` goes the rest of its way.
  Tensor pooled(const Tensor& ids, const Tensor& hidden) const {
    const Tensor last = encoder_.final_norm(
        encoder_.pass_layers(hidden.narrow(0, 0, 1), choice_.layers, encoder_.config().num_hidden_layers));
    return (*projection_)(ids.narrow(0, 0, 1), last).squeeze(0);
  }

  int64_t most_tokens() const { return chunks_ * Tokenizer::kMostTokens; }

  std::string origin_, tokenizer_folder_;
  int64_t chunks_;
  HiddenChoice choice_;
  Tokenizer tokenizer_;
  ClipText encoder_;
  std::optional<ClipProjection> projection_;
};

}  // namespace

const PromptEmbedding& PromptEmbeddings::at(const std::string& prompt) const {
  const auto found = by_prompt_.find(prompt);
  if (found == by_prompt_.end())
    throw Error(fmt::format("internal: the prompt {:?} was not encoded", prompt));
  return found->second;
}

PromptEmbeddings encode_prompts(std::vector<TextEncoderSource> encoders, const TextSettings& settings,
                                const std::vector<std::string>& prompts, torch::Device device) {
  LECO_ASSERT(encoders.size() == (settings.kind == TextSettings::Kind::kSdxl ? 2u : 1u));
  LECO_ASSERT(settings.max_token_length > 0 && settings.max_token_length % Tokenizer::kMostTokens == 0);
  const std::set<std::string> distinct(prompts.begin(), prompts.end());
  std::map<std::string, PromptEmbedding> embeddings;
  std::set<std::string> cut;
  for (size_t i = 0; i < encoders.size(); ++i) {
    const PromptEncoder encode(encoders[i], settings, /*pools=*/i == 1, device);
    for (const std::string& prompt : distinct) {
      const PromptEmbedding part = encode(prompt, cut);
      PromptEmbedding& whole = embeddings[prompt];
      whole.context = i == 0 ? part.context : at::cat({whole.context, part.context}, -1);
      whole.pooled = part.pooled;
    }
  }
  return PromptEmbeddings(std::move(embeddings));
}

}  // namespace leco
