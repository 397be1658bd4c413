// A Stable Diffusion model in Diffusers' layout: unet/, text_encoder/ (two of them for SDXL), tokenizer/,
// scheduler/. The family is told from unet/config.json, never from a name.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "diffusion/noise_schedule.h"
#include "io/file_source.h"
#include "model/family.h"
#include "model/unet.h"
#include "text/text_encoder_source.h"

namespace leco {

// What the user says of the model. It is checked against what the model's own files say.
struct ModelClaims {
  bool v2 = false;                  // Stable Diffusion 2.x
  bool v_parameterization = false;  // predicts v; decides where no file says it
};

class ModelFolder {
 public:
  // Reads the configurations only. Throws a usage error when the folder is no such model, or contradicts a
  // claim.
  ModelFolder(FileSource& files, std::string path, ModelClaims claims = {});

  const std::string& path() const { return path_; }
  Family family() const { return family_; }
  const UNetConfig& unet_config() const { return unet_config_; }
  Prediction prediction() const { return prediction_; }
  std::string description() const;  // "SDXL, epsilon prediction"

  // Reads the weights; left-over tensors are listed in a warning. On torch::kMeta nothing but names and
  // shapes is read, which finds a file that does not fit in no time and without a warning.
  std::unique_ptr<UNet> load_unet(Placement placement) const;

  // One, or SDXL's two in the order in which their outputs are joined.
  std::vector<TextEncoderSource> open_text_encoders() const;

  // The files whose contents determine a training's result, relative to path(): the U-Net's, then the text
  // encoders'.
  std::vector<std::string> weight_files() const;

 private:
  Prediction read_prediction(ModelClaims claims) const;

  FileSource& files_;
  std::string path_;
  UNetConfig unet_config_;
  Family family_ = Family::kSd1;
  Prediction prediction_ = Prediction::kEpsilon;
};

}  // namespace leco
