#include "launcher/model/shared_texts.h"

#include <fmt/format.h>

#include <chrono>
#include <map>
#include <set>
#include <sstream>

#include "comm/watchdog.h"
#include "train/shared_files.h"

namespace leco {
namespace {

using torch::Tensor;

constexpr auto kPatience = std::chrono::hours(6);  // hundreds of prompts through SDXL's encoders on a CPU

// Of all prompts, in host memory: (P, L, D) and, SDXL only, (P, projection_dim).
struct Stacked {
  Tensor contexts, pooled;
};

Stacked stack(const PromptEmbeddings& embeddings, const std::vector<std::string>& prompts) {
  std::vector<Tensor> contexts, pooled;
  for (const std::string& prompt : prompts) {
    const PromptEmbedding& embedding = embeddings.at(prompt);
    contexts.push_back(embedding.context.cpu());
    if (embedding.pooled.defined()) pooled.push_back(embedding.pooled.cpu());
  }
  return {at::stack(contexts), pooled.empty() ? at::empty({0, 0}) : at::stack(pooled)};
}

std::string sizes_of(const Stacked& stacked) {
  return fmt::format("{} {} {}", stacked.contexts.size(1), stacked.contexts.size(2), stacked.pooled.size(1));
}

Stacked empty_of(int64_t prompts, const std::string& sizes) {
  std::istringstream words(sizes);
  int64_t length = 0, width = 0, pooled = 0;
  words >> length >> width >> pooled;
  return {at::empty({prompts, length, width}), at::empty({pooled > 0 ? prompts : 0, pooled})};
}

}  // namespace

PromptEmbeddings encode_on_reader(Communicator& host, const TextJob& job) {
  if (host.size() == 1)
    return encode_prompts(job.model.open_text_encoders(), job.text, job.prompts, job.device);
  const std::set<std::string> sorted(job.prompts.begin(), job.prompts.end());
  const std::vector<std::string> distinct(sorted.begin(), sorted.end());
  const CollectiveLimit patience(kPatience);
  Stacked stacked;
  const std::string sizes = do_on_reader(host, [&] {
    job.files.read_alone([&] {
      stacked =
          stack(encode_prompts(job.model.open_text_encoders(), job.text, distinct, job.device), distinct);
    });
    return sizes_of(stacked);
  });
  if (host.rank() != 0) stacked = empty_of(std::ssize(distinct), sizes);
  host.broadcast(stacked.contexts, 0);
  if (stacked.pooled.numel() > 0) host.broadcast(stacked.pooled, 0);
  // A tensor of its own each, as encode_prompts() gives them.
  const auto row = [&](const Tensor& rows, size_t prompt) {
    return rows[static_cast<int64_t>(prompt)].to(job.device, rows.scalar_type(), /*non_blocking=*/false,
                                                 /*copy=*/true);
  };
  std::map<std::string, PromptEmbedding> by_prompt;
  for (size_t prompt = 0; prompt < distinct.size(); ++prompt)
    by_prompt[distinct[prompt]] = {row(stacked.contexts, prompt),
                                   stacked.pooled.numel() > 0 ? row(stacked.pooled, prompt) : Tensor()};
  return PromptEmbeddings(std::move(by_prompt));
}

}  // namespace leco
