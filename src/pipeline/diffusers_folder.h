// A model in Diffusers' layout: unet/, text_encoder/ (and text_encoder_2/), tokenizer/, scheduler/. Every
// size is read from their config.json files, the family is told from unet/config.json, never from a name.
#pragma once

#include "pipeline/base_model.h"

namespace leco {

class DiffusersFolder final : public BaseModel {
 public:
  DiffusersFolder(FileSource& files, const std::string& path, const ModelClaims& claims);

  std::string form() const override { return "a Diffusers folder"; }
  StateDict open_unet(Contents contents) const override;
  std::vector<WeightFile> weight_files() const override;
  bool has_vae() const override { return files_.exists(path_ + "/vae/config.json"); }

 private:
  std::vector<TextEncoderSource> read_text_encoders(Contents contents) const override;
  VaeSource read_vae(Contents contents) const override;
  SchedulerConfig read_scheduler(const ModelClaims& claims);
  std::vector<std::string> unet_files() const;
};

}  // namespace leco
