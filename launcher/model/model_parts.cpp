#include "launcher/model/model_parts.h"

#include "launcher/model/shared_texts.h"

namespace leco {

const BaseModel& LoadedParts::base() {
  if (!base_) base_ = open_model(settings_, files_);
  return *base_;
}

PromptEmbeddings LoadedParts::encode(Communicator& host, const TextSettings& text,
                                     const std::vector<std::string>& prompts, torch::Device device) {
  return encode_on_reader(host, {base(), files_, text, prompts, device});
}

std::shared_ptr<UNet> LoadedParts::unet(Placement placement) {
  return base().load_unet(placement);
}

void LoadedParts::check_vae(const std::string& other) {
  base().open_vae(other, Contents::kOutline);
}

std::shared_ptr<Vae> LoadedParts::vae(torch::Device device, const std::string& other) {
  return base().load_vae(device, other);
}

std::shared_future<FileDigests> LoadedParts::digests(bool reads) {
  std::vector<WeightFile> files = base().weight_files();
  return reads ? digest_in_background(std::move(files)) : std::shared_future<FileDigests>();
}

}  // namespace leco
