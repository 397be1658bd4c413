// A Stable Diffusion 1 model in Diffusers' layout: unet/, text_encoder/, tokenizer/, scheduler/.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "diffusion/noise_schedule.h"
#include "io/file_source.h"
#include "model/unet.h"

namespace leco {

class ModelFolder {
 public:
  // Reads the configurations only. Throws a usage error when the folder is no such model.
  ModelFolder(FileSource& files, std::string path);

  const std::string& path() const { return path_; }
  const UNetConfig& unet_config() const { return unet_config_; }
  Prediction prediction() const { return prediction_; }

  // Reads the weights; left-over tensors are listed in a warning. On torch::kMeta nothing but names and
  // shapes is read, which finds a file that does not fit in no time and without a warning.
  std::unique_ptr<UNet> load_unet(Placement placement) const;

  // The files whose contents determine a training's result, relative to path().
  std::vector<std::string> weight_files() const;

 private:
  FileSource& files_;
  std::string path_;
  UNetConfig unet_config_;
  Prediction prediction_ = Prediction::kEpsilon;
};

}  // namespace leco
