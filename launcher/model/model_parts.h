// The parts of a model, given out when they are needed: loaded anew, or kept by whoever runs many jobs on one
// model.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "comm/communicator.h"
#include "launcher/model/file_digests.h"
#include "launcher/model/open_model.h"
#include "model/vae.h"

namespace leco {

// Collective calls, in the same order on every rank. Usage errors as of the loaders.
class ModelParts {
 public:
  virtual ~ModelParts() = default;
  virtual const BaseModel& base() = 0;
  virtual PromptEmbeddings encode(Communicator& host, const TextSettings& text,
                                  const std::vector<std::string>& prompts, torch::Device device) = 0;
  // Without adapters; as one that is freshly loaded. On the meta device: names and shapes alone.
  virtual std::shared_ptr<UNet> unet(Placement placement) = 0;
  virtual void check_vae(const std::string& other) = 0;  // as vae(), but no weight is read
  virtual std::shared_ptr<Vae> vae(torch::Device device, const std::string& other) = 0;
  // Of the files whose contents decide a training's result; not valid on ranks that do not read them.
  virtual std::shared_future<FileDigests> digests(bool reads) = 0;
};

// Loads each part when it is asked for and keeps none but the model's description.
class LoadedParts final : public ModelParts {
 public:
  // What `settings` say of the model. `files` must outlive this.
  LoadedParts(const TrainSettings& settings, FileSource& files) : settings_(settings), files_(files) {}
  const BaseModel& base() override;
  PromptEmbeddings encode(Communicator& host, const TextSettings& text,
                          const std::vector<std::string>& prompts, torch::Device device) override;
  std::shared_ptr<UNet> unet(Placement placement) override;
  void check_vae(const std::string& other) override;
  std::shared_ptr<Vae> vae(torch::Device device, const std::string& other) override;
  std::shared_future<FileDigests> digests(bool reads) override;

 private:
  const TrainSettings settings_;
  FileSource& files_;
  std::unique_ptr<BaseModel> base_;
};

}  // namespace leco
