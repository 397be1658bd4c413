#include "launcher/model/kept_parts.h"

#include <fmt/format.h>

#include <algorithm>

#include "launcher/model/shared_texts.h"

namespace leco {
namespace {

constexpr size_t kMostUNets = 2;  // one to train on in bfloat16, say, and one to evaluate with in float32
constexpr size_t kMostPrompts = 4096;  // embeddings that are kept: about a gigabyte for SD 1.x

bool same(const TextSettings& left, const TextSettings& right) {
  return left.kind == right.kind && left.max_token_length == right.max_token_length &&
         left.clip_skip == right.clip_skip;
}

bool same(const Placement& left, const Placement& right) {
  return left.device == right.device && left.dtype == right.dtype &&
         left.adapters_in_dtype == right.adapters_in_dtype && left.recompute_blocks == right.recompute_blocks;
}

}  // namespace

void KeptParts::serve(const TrainSettings& settings, const std::vector<std::string>& prompts) {
  if (base_ && !name_same_model(settings, settings_)) forget();
  settings_ = settings;
  ahead_ = prompts;
  if (base_) check_loss_settings(settings_, *base_);
}

void KeptParts::forget() {
  digests_.reset();
  vae_.reset();
  checked_vae_.reset();
  unets_.clear();
  outline_.reset();
  encoded_.reset();
  base_.reset();
}

std::string KeptParts::contents() const {
  if (!base_) return {};
  std::string text = base_->path() + "\n" + base_->description();
  if (encoded_) {
    const TextSettings& of = encoded_->text;
    text += fmt::format("\ntexts {} {} {} {}", static_cast<int>(of.kind), of.max_token_length,
                        of.clip_skip.value_or(0), static_cast<int>(encoded_->device.type()));
    for (const auto& [prompt, embedding] : encoded_->prompts) text += fmt::format(" {:?}", prompt);
  }
  for (const auto& unet : unets_) {
    const Placement at = unet->placement();
    text += fmt::format("\nunet {} {} {} {}", static_cast<int>(at.device.type()), static_cast<int>(at.dtype),
                        at.adapters_in_dtype, at.recompute_blocks);
  }
  if (outline_) text += "\noutline";
  if (checked_vae_) text += fmt::format("\nvae's outline {:?}", *checked_vae_);
  if (vae_) text += fmt::format("\nvae {:?} {}", vae_->other, static_cast<int>(vae_->device.type()));
  return text;
}

const BaseModel& KeptParts::base() {
  if (!base_) base_ = open_model(settings_, files_);
  return *base_;
}

PromptEmbeddings KeptParts::encode(Communicator& host, const TextSettings& text,
                                   const std::vector<std::string>& prompts, torch::Device device) {
  if (encoded_ && (!same(encoded_->text, text) || encoded_->device != device)) encoded_.reset();
  if (!encoded_) encoded_.emplace(Encoded{text, device, {}});
  std::map<std::string, PromptEmbedding>& known = encoded_->prompts;
  std::vector<std::string> missing;
  for (const std::string& prompt : prompts)
    if (!known.contains(prompt)) missing.push_back(prompt);
  if (!missing.empty()) {
    if (known.size() + missing.size() > kMostPrompts) {
      known.clear();
      missing = prompts;
    }
    for (const std::string& prompt : ahead_)
      if (!known.contains(prompt) && known.size() + missing.size() < kMostPrompts) missing.push_back(prompt);
    const PromptEmbeddings fresh = encode_on_reader(host, {base(), files_, text, missing, device});
    for (const std::string& prompt : missing) known.emplace(prompt, fresh.at(prompt));
  }
  std::map<std::string, PromptEmbedding> wanted;
  for (const std::string& prompt : prompts) wanted.emplace(prompt, known.at(prompt));
  return PromptEmbeddings(std::move(wanted));
}

std::shared_ptr<UNet> KeptParts::unet(Placement placement) {
  if (placement.device.is_meta()) {
    if (!outline_) outline_ = base().load_unet(placement);
    return outline_;
  }
  const auto found = std::ranges::find_if(
      unets_, [&](const std::shared_ptr<UNet>& unet) { return same(unet->placement(), placement); });
  if (found != unets_.end()) {
    (*found)->forget_layouts();
    return *found;
  }
  if (unets_.size() == kMostUNets) unets_.erase(unets_.begin());
  return unets_.emplace_back(base().load_unet(placement));
}

void KeptParts::check_vae(const std::string& other) {
  if (checked_vae_ == other) return;
  base().open_vae(other, Contents::kOutline);
  checked_vae_ = other;
}

std::shared_ptr<Vae> KeptParts::vae(torch::Device device, const std::string& other) {
  if (!vae_ || vae_->other != other || vae_->device != device)
    vae_.emplace(Vaes{other, device, base().load_vae(device, other)});
  return vae_->vae;
}

std::shared_future<FileDigests> KeptParts::digests(bool reads) {
  if (!digests_ || (reads && !digests_->valid())) {  // this rank may have been another that did not read
    std::vector<WeightFile> files = base().weight_files();
    digests_ = reads ? digest_in_background(std::move(files)) : std::shared_future<FileDigests>();
  }
  return *digests_;
}

}  // namespace leco
