// The parts of the model that a process trains on, kept from one run of a sweep to the next.
#pragma once

#include <map>
#include <optional>

#include "launcher/model/model_parts.h"

namespace leco {

class KeptParts final : public ModelParts {
 public:
  explicit KeptParts(FileSource& files) : files_(files) {}

  // Which model is asked for from now on. Another one than before takes its place. `prompts` will be asked
  // for sooner or later: they are encoded together when the first one is. Throws as open_model() where the
  // settings do not fit the model.
  void serve(const TrainSettings& settings, const std::vector<std::string>& prompts);
  void forget();  // everything: what a failure left behind is not known
  // What is kept, in words: the same on ranks that can go on together without loading anything.
  std::string contents() const;

  const BaseModel& base() override;
  PromptEmbeddings encode(Communicator& host, const TextSettings& text,
                          const std::vector<std::string>& prompts, torch::Device device) override;
  std::shared_ptr<UNet> unet(Placement placement) override;
  void check_vae(const std::string& other) override;
  std::shared_ptr<Vae> vae(torch::Device device, const std::string& other) override;
  std::shared_future<FileDigests> digests(bool reads) override;

 private:
  struct Encoded {
    TextSettings text;
    torch::Device device;
    std::map<std::string, PromptEmbedding> prompts;
  };
  struct Vaes {
    std::string other;
    torch::Device device;
    std::shared_ptr<Vae> vae;
  };

  FileSource& files_;
  TrainSettings settings_;
  std::vector<std::string> ahead_;
  std::unique_ptr<BaseModel> base_;
  std::optional<Encoded> encoded_;
  std::vector<std::shared_ptr<UNet>> unets_;  // of different placements: training and evaluation may differ
  std::shared_ptr<UNet> outline_;             // on the meta device
  std::optional<Vaes> vae_;
  std::optional<std::string> checked_vae_;
  std::optional<std::shared_future<FileDigests>> digests_;
};

}  // namespace leco
