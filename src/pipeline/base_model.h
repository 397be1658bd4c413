// A Stable Diffusion model in one of the forms in which people have it, put together from its parts: what its
// files say of it, its U-Net, its text encoders.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "diffusion/noise_schedule.h"
#include "io/file_source.h"
#include "model/family.h"
#include "model/unet.h"
#include "pipeline/file_parts.h"
#include "pipeline/vae_source.h"
#include "text/text_encoder_source.h"

namespace leco {

// What the user says of the model. It is checked against what the model's own files say.
struct ModelClaims {
  bool v2 = false;                  // Stable Diffusion 2.x
  bool v_parameterization = false;  // predicts v; decides where no file says it
  // A folder of tokenizers for single files, as sd-scripts fills it; empty takes the built-in one.
  std::string tokenizer_folder = {};
};

struct WeightFile {
  std::string name;  // in the model: "unet/diffusion_pytorch_model.safetensors", or "single file"
  std::string path;
};

class BaseModel {
 public:
  virtual ~BaseModel() = default;

  const std::string& path() const { return path_; }
  Family family() const { return family_; }
  const UNetConfig& unet_config() const { return unet_config_; }
  Prediction prediction() const { return scheduler_.prediction; }
  bool zero_terminal_snr() const { return scheduler_.zero_terminal_snr; }  // its schedule ends in pure noise
  virtual std::string form() const = 0;                                    // "a Diffusers folder"
  const std::string& prediction_source() const { return prediction_source_; }  // what says the prediction
  std::string description() const;  // "SDXL, epsilon prediction (by …), a Diffusers folder"

  // The U-Net's weights, to be asked for by Diffusers' names.
  virtual StateDict open_unet(Contents contents) const = 0;
  // Reads the weights; left-over tensors are listed in a warning. On torch::kMeta nothing but names and
  // shapes is read, which finds a file that does not fit in no time and without a warning.
  std::unique_ptr<UNet> load_unet(Placement placement) const;

  // One, or SDXL's two in the order in which their outputs are joined. Usage error where they do not fit the
  // U-Net.
  std::vector<TextEncoderSource> open_text_encoders(Contents contents = Contents::kWeights) const;

  // The VAE that draws the pictures: the model's own, or the one at `other` (pipeline/vae_source.h). Usage
  // error where the model has none.
  VaeSource open_vae(const std::string& other = "", Contents contents = Contents::kWeights) const;
  std::unique_ptr<Vae> load_vae(torch::Device device, const std::string& other = "") const;
  // Whether it has one of its own.
  virtual bool has_vae() const = 0;

  // The files whose contents determine a training's result: the U-Net's, then the text encoders'.
  virtual std::vector<WeightFile> weight_files() const = 0;

  // What the file is made of; empty for a folder.
  virtual std::vector<FilePart> parts() const { return {}; }

  // A line for each thing in the files that a user should know and nothing else says.
  const std::vector<std::string>& notices() const { return notices_; }

 protected:
  BaseModel(FileSource& files, std::string path) : files_(files), path_(std::move(path)) {}

  // Sets the family by the U-Net's structure, and checks --v2 against it.
  void set_unet(UNetConfig config, const ModelClaims& claims);
  virtual std::vector<TextEncoderSource> read_text_encoders(Contents contents) const = 0;
  virtual VaeSource read_vae(Contents contents) const = 0;  // asked only where has_vae()

  FileSource& files_;
  std::string path_;
  UNetConfig unet_config_;
  Family family_ = Family::kSd1;
  SchedulerConfig scheduler_;
  std::string prediction_source_;
  std::vector<std::string> notices_;
};

// A folder in Diffusers' layout, or a single file (pipeline/single_file.h). Reads what describes the model,
// no weights. Throws a usage error when `path` is no such model, or contradicts a claim. Collective, as
// `files` is; `files` must outlive the result.
std::unique_ptr<BaseModel> open_base_model(FileSource& files, const std::string& path,
                                           const ModelClaims& claims = {});

}  // namespace leco
