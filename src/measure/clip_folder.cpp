#include "measure/clip_folder.h"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "io/component_files.h"
#include "io/json_object.h"
#include "text/clip_tokenizer.h"

namespace leco {
namespace {

using nlohmann::json;

[[noreturn]] void reject(const std::string& path, const std::string& key, const json& value,
                         const std::string& wanted) {
  throw_usage(fmt::format("'{}': '{}' is {}; {} is expected", path, key, shown(value), wanted));
}

// One half of config.json over the defaults of its class. Older files write it twice, and the second counts.
json half(const json& config, const std::string& key, json defaults) {
  for (const std::string& name : {key, key + "_dict"})
    if (config.contains(name) && config[name].is_object()) defaults.update(config[name]);
  return defaults;
}

// Numbers of one object, with what a missing key stands for already in it.
struct Reader {
  const std::string& path;
  const json& object;

  int64_t size(const std::string& key) const {
    const json& value = object.contains(key) ? object[key] : json();
    constexpr uint64_t kMost = 1 << 24;
    if (!value.is_number_unsigned() || value.get<uint64_t>() == 0 || value.get<uint64_t>() > kMost)
      reject(path, key, value, fmt::format("a whole number from 1 to {}", kMost));
    return value.get<int64_t>();
  }
  std::array<double, 3> channels(const std::string& key, bool positive) const {
    const json& value = object.contains(key) ? object[key] : json();
    std::array<double, 3> numbers{};
    bool good = value.is_array() && value.size() == 3;
    for (size_t i = 0; good && i < 3; ++i) {
      good = value[i].is_number() && (!positive || value[i].get<double>() > 0);
      if (good) numbers[i] = value[i].get<double>();
    }
    if (!good)
      reject(path, key, value, positive ? "a list of three numbers above 0" : "a list of three numbers");
    return numbers;
  }
  ClipActivation activation(const std::string& key) const {
    if (object[key] == "quick_gelu") return ClipActivation::kQuickGelu;
    if (object[key] == "gelu") return ClipActivation::kGelu;
    reject(path, key, object[key], "\"quick_gelu\" or \"gelu\"");
  }
};

// transformers' CLIPTextConfig.
json text_defaults() {
  return {{"vocab_size", 49408},           {"hidden_size", 512},         {"intermediate_size", 2048},
          {"projection_dim", 512},         {"num_hidden_layers", 12},    {"num_attention_heads", 8},
          {"max_position_embeddings", 77}, {"hidden_act", "quick_gelu"}, {"layer_norm_eps", 1e-5},
          {"eos_token_id", 49407}};
}

// transformers' CLIPVisionConfig.
json vision_defaults() {
  return {{"hidden_size", 768},        {"intermediate_size", 3072},  {"num_hidden_layers", 12},
          {"num_attention_heads", 12}, {"image_size", 224},          {"patch_size", 32},
          {"num_channels", 3},         {"hidden_act", "quick_gelu"}, {"layer_norm_eps", 1e-5}};
}

ClipVisionConfig parse_vision(const json& config, const std::string& path) {
  const json object = half(config, "vision_config", vision_defaults());
  const Reader read{path, object};
  ClipVisionConfig vision{.hidden_size = read.size("hidden_size"),
                          .intermediate_size = read.size("intermediate_size"),
                          .num_hidden_layers = read.size("num_hidden_layers"),
                          .num_attention_heads = read.size("num_attention_heads"),
                          .image_size = read.size("image_size"),
                          .patch_size = read.size("patch_size"),
                          .hidden_act = read.activation("hidden_act")};
  if (read.size("num_channels") != 3) reject(path, "num_channels", object["num_channels"], "3");
  if (vision.hidden_size % vision.num_attention_heads != 0)
    reject(path, "num_attention_heads", object["num_attention_heads"],
           fmt::format("a divisor of hidden_size ({})", vision.hidden_size));
  if (vision.patch_size > vision.image_size)
    reject(path, "patch_size", object["patch_size"],
           fmt::format("at most image_size ({})", vision.image_size));
  const json& eps = object["layer_norm_eps"];
  if (!eps.is_number() || !(eps.get<double>() > 0)) reject(path, "layer_norm_eps", eps, "a number above 0");
  vision.layer_norm_eps = eps.get<double>();
  return vision;
}

// A side, written as a number, or as an object with one of these keys.
int64_t side(const json& object, const std::string& key, const std::vector<std::string>& names,
             const std::string& path) {
  const json& value = object[key];
  if (value.is_number_unsigned() && value.get<int64_t>() > 0) return value.get<int64_t>();
  if (value.is_object() && value.size() == names.size()) {
    int64_t first = 0;
    for (const std::string& name : names) {
      if (!value.contains(name) || !value[name].is_number_unsigned()) break;
      const auto number = value[name].get<int64_t>();
      if (number < 1 || number > (1 << 14) || (first != 0 && number != first)) break;
      first = number;
      if (name == names.back()) return first;
    }
  }
  reject(path, key, value, "the side of a square in pixels");
}

ClipPictureConfig parse_picture(const json& given, const std::string& path, int64_t image_size) {
  json object = {{"size", 224},         {"crop_size", 224},       {"resample", 3},
                 {"do_resize", true},   {"do_center_crop", true}, {"do_rescale", true},
                 {"do_normalize", true}};
  const ClipPictureConfig defaults;
  object["image_mean"] = defaults.mean;
  object["image_std"] = defaults.std;
  object.update(given);
  for (const char* key : {"do_resize", "do_center_crop", "do_rescale", "do_normalize"})
    if (object[key] != true) reject(path, key, object[key], "true");
  if (object["resample"] != 3) reject(path, "resample", object["resample"], "3 (bicubic)");
  if (object.contains("rescale_factor") &&
      !(object["rescale_factor"].is_number() &&
        std::abs(object["rescale_factor"].get<double>() * 255 - 1) < 1e-6))
    reject(path, "rescale_factor", object["rescale_factor"], "1/255");
  const Reader read{path, object};
  ClipPictureConfig picture{.shortest_edge = side(object, "size", {"shortest_edge"}, path),
                            .crop = side(object, "crop_size", {"height", "width"}, path),
                            .mean = read.channels("image_mean", /*positive=*/false),
                            .std = read.channels("image_std", /*positive=*/true)};
  if (picture.crop != image_size || picture.crop > picture.shortest_edge)
    reject(
        path, "crop_size", object["crop_size"],
        fmt::format("the model's image_size ({}), at most 'size' ({})", image_size, picture.shortest_edge));
  return picture;
}

}  // namespace

ClipFolder open_clip_folder(FileSource& files, const std::string& folder, Contents contents) {
  const std::string config_path = folder + "/config.json";
  const std::string picture_path = folder + "/preprocessor_config.json";
  if (!files.is_folder(folder) || !files.exists(config_path))
    throw_usage(
        fmt::format("--clip_model='{}' is no folder with a config.json; a CLIP model as transformers "
                    "saves it is expected (CLIPModel and CLIPProcessor, save_pretrained)",
                    folder));
  const json config = parse_json_object(files.read(config_path), config_path);
  if (config.contains("model_type") && config["model_type"] != "clip")
    reject(config_path, "model_type", config["model_type"], "\"clip\" (both encoders in one model)");
  const json text = half(config, "text_config", text_defaults());
  json whole = {{"projection_dim", 512}};
  whole.update(config);
  ClipFolder clip{.text = parse_clip_text_config(text.dump(), config_path),
                  .vision = parse_vision(config, config_path),
                  .picture = {},
                  .projection_dim = Reader{config_path, whole}.size("projection_dim"),
                  .tokenizer = read_tokenizer_folder(files, folder),
                  .weights = open_component(files, find_component(files, folder, "model"), contents)};
  clip.text.projection_dim = clip.projection_dim;
  clip.picture = parse_picture(parse_json_object(files.read(picture_path), picture_path), picture_path,
                               clip.vision.image_size);
  return clip;
}

}  // namespace leco
