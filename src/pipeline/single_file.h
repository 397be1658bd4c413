// A model in one file (.safetensors or .ckpt) with the names of Stability's own code: LDM for SD 1.x and 2.x,
// SGM for SDXL. Such a file says nothing of itself beside names and shapes, and those decide the family and
// every size. It comes without a tokenizer, which is CLIP's for all of them.
#pragma once

#include "pipeline/base_model.h"

namespace leco {

class SingleFile final : public BaseModel {
 public:
  // Throws a usage error that says what the file is, where it is none of these models.
  SingleFile(FileSource& files, const std::string& path, const ModelClaims& claims);

  std::string form() const override { return "a single file"; }
  StateDict open_unet(Contents contents) const override;
  std::vector<WeightFile> weight_files() const override;
  bool has_vae() const override;

  std::vector<FilePart> parts() const override { return parts_; }

 private:
  std::vector<TextEncoderSource> read_text_encoders(Contents contents) const override;
  VaeSource read_vae(Contents contents) const override;
  Prediction read_prediction(const StateDict& outline, const ModelClaims& claims);
  TokenizerFiles tokenizer_of(size_t encoder) const;
  std::string tokenizer_name(size_t encoder) const;
  bool looks_like_v() const;

  std::string tokenizer_folder_;
  std::vector<FilePart> parts_;
};

}  // namespace leco
