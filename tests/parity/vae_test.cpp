// The VAE's decoder must draw what diffusers' AutoencoderKL draws (golden of make_sampling_golden.py).
#include "model/vae.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/philox.h"
#include "core/read_file.h"
#include "io/file_source.h"
#include "tests/support/golden.h"

namespace leco {
namespace {

using nlohmann::json;
using torch::Tensor;

constexpr uint64_t kSeed = 1234;
constexpr double kTolerance = 1e-5;  // relative: float32 sums in another order
constexpr int64_t kRowStride = 11, kColumnStride = 13;

std::string folder_of(const std::string& model) {
  return LECO_TEST_DATA "/" + model + "/vae";
}

std::string config_of(const std::string& model) {
  return read_local_file(folder_of(model) + "/config.json");
}

StateDict weights_of(const std::string& model) {
  return LocalFileSource().open_safetensors(folder_of(model) + "/diffusion_pytorch_model.safetensors");
}

std::unique_ptr<Vae> load(const std::string& model) {
  StateDict weights = weights_of(model);
  return std::make_unique<Vae>(parse_vae_config(config_of(model), model), weights, torch::kCPU);
}

Tensor latents(int64_t item, int64_t height, int64_t width) {
  Tensor filled = at::empty({2, 4, height, width}, torch::kFloat32);
  Draws(kSeed, {.purpose = Purpose::kInitialLatents, .item = item})
      .fill_normal({filled.data_ptr<float>(), static_cast<size_t>(filled.numel())});
  return filled;
}

void expect_golden(const Golden& golden, const std::string& name, const Tensor& picture) {
  EXPECT_TRUE(is_near("vae " + name, picture.slice(2, 0, {}, kRowStride).slice(3, 0, {}, kColumnStride),
                      golden[name], kTolerance));
  EXPECT_TRUE(is_near("vae " + name + ", norm", picture.to(torch::kFloat64).norm(),
                      golden[name + ".norm"].to(torch::kFloat64), kTolerance));
}

class VaeOf : public testing::TestWithParam<std::string> {
 protected:
  const Golden golden_{"vae.safetensors"};
};

TEST_P(VaeOf, decodes_square_and_other_pictures) {
  const auto vae = load(GetParam());
  const Tensor square = vae->decode(latents(0, 16, 16));
  EXPECT_EQ(square.sizes(), (std::vector<int64_t>{2, 3, 128, 128}));
  expect_golden(golden_, GetParam() + ".square", square);
  expect_golden(golden_, GetParam() + ".odd", vae->decode(latents(1, 9, 13)));
}

TEST_P(VaeOf, decodes_in_tiles_as_diffusers_does) {
  const auto vae = load(GetParam());
  const Tensor z = latents(2, 29, 21);
  expect_golden(golden_, GetParam() + ".tiled", vae->decode_in_tiles(z));
  EXPECT_GT(relative_distance(vae->decode_in_tiles(z), vae->decode_at_once(z)), 0.01);
}

TEST(Vae, decodes_pictures_beyond_its_bound_in_tiles) {
  const auto vae = load("toy-sd");
  const Tensor z = latents(3, 192, 193).narrow(0, 0, 1);
  static_assert(192 * 193 * 64 > Vae::kMostPixelsAtOnce && 192 * 192 * 64 <= Vae::kMostPixelsAtOnce);
  EXPECT_TRUE(at::equal(vae->decode(z), vae->decode_in_tiles(z)));
}

TEST_P(VaeOf, leaves_the_encoder_and_nothing_else) {
  StateDict weights = weights_of(GetParam());
  const Vae vae(parse_vae_config(config_of(GetParam()), GetParam()), weights, torch::kCPU);
  EXPECT_FALSE(weights.left().empty());
  for (const std::string& name : weights.left()) EXPECT_TRUE(belongs_to_vae_encoder(name)) << name;
  EXPECT_FALSE(belongs_to_vae_encoder("decoder.conv_in.weight"));
  EXPECT_FALSE(belongs_to_vae_encoder("post_quant_conv.weight"));
}

INSTANTIATE_TEST_SUITE_P(Models, VaeOf, testing::Values("toy-sd", "tiny-sd2v", "tiny-sdxl"),
                         [](const auto& test) {
                           std::string name = test.param;
                           std::ranges::replace(name, '-', '_');
                           return name;
                         });

// The same tensors under the names that Diffusers used until 0.18.
StateDict older_names(const std::string& model) {
  const std::map<std::string, std::string> renamed = {
      {"to_q", "query"}, {"to_k", "key"}, {"to_v", "value"}, {"to_out.0", "proj_attn"}};
  const auto file =
      std::make_shared<SafetensorsFile>(folder_of(model) + "/diffusion_pytorch_model.safetensors");
  std::vector<TensorInfo> tensors = file->header().tensors;
  std::map<std::string, TensorInfo> stored;
  for (TensorInfo& info : tensors) {
    const TensorInfo original = info;
    for (const auto& [newer, older] : renamed) {
      const std::string part = "attentions.0." + newer + ".";
      if (const size_t at = info.name.find(part); at != std::string::npos)
        info.name.replace(at, part.size(), "attentions.0." + older + ".");
    }
    stored[info.name] = original;
  }
  return {model, tensors,
          [file, stored](const TensorInfo& info) { return file->tensor(stored.at(info.name)); }};
}

TEST(Vae, takes_the_names_of_older_files) {
  StateDict weights = older_names("toy-sd");
  EXPECT_TRUE(weights.contains("decoder.mid_block.attentions.0.proj_attn.weight"));
  const Vae older(parse_vae_config(config_of("toy-sd"), "config"), weights, torch::kCPU);
  EXPECT_TRUE(at::equal(older.decode(latents(1, 9, 13)), load("toy-sd")->decode(latents(1, 9, 13))));
}

TEST(Vae, names_a_missing_tensor) {
  StateDict weights = weights_of("toy-sd");
  weights.take("decoder.mid_block.attentions.0.to_k.weight", {32, 32});
  try {
    const Vae vae(parse_vae_config(config_of("toy-sd"), "config"), weights, torch::kCPU);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.status(), ExitStatus::kUsage);
    EXPECT_NE(std::string(error.what()).find("decoder.mid_block.attentions.0.to_k.weight"),
              std::string::npos);
  }
}

// vae/config.json of the first models says neither the factor nor what the convolutions at the bottleneck
// are.
TEST(VaeConfig, has_the_defaults_of_diffusers_where_the_file_is_silent) {
  json config = json::parse(config_of("toy-sd"));
  for (const char* key : {"scaling_factor", "use_post_quant_conv", "mid_block_add_attention", "shift_factor",
                          "latents_mean", "force_upcast"})
    config.erase(key);
  const VaeConfig vae = parse_vae_config(config.dump(), "config");
  EXPECT_EQ(vae.scaling_factor, 0.18215);
  EXPECT_TRUE(vae.use_post_quant_conv);
}

TEST(VaeConfig, without_post_quant_conv_needs_no_such_tensor) {
  json config = json::parse(config_of("toy-sd"));
  config["use_post_quant_conv"] = false;
  StateDict weights = weights_of("toy-sd");
  const Vae vae(parse_vae_config(config.dump(), "config"), weights, torch::kCPU);
  EXPECT_TRUE(weights.contains("post_quant_conv.weight"));
  EXPECT_GT(relative_distance(vae.decode(latents(1, 9, 13)), load("toy-sd")->decode(latents(1, 9, 13))),
            0.01);
}

TEST(VaeConfig, refuses_what_would_change_the_mathematics_and_names_the_key) {
  const std::vector<std::pair<std::string, json>> refused = {
      {"_class_name", "AutoencoderTiny"},
      {"act_fn", "relu"},
      {"latent_channels", 16},
      {"latents_mean", {0.1, 0.2, 0.3, 0.4}},
      {"mid_block_add_attention", false},
      {"shift_factor", 0.1159},
      {"scaling_factor", 0},
      {"scaling_factor", "auto"},
      {"sample_size", 100},
      {"norm_num_groups", 5},
      {"block_out_channels", {16, 32}},
      {"up_block_types",
       {"UpDecoderBlock2D", "UpDecoderBlock2D", "AttnUpDecoderBlock2D", "UpDecoderBlock2D"}},
  };
  for (const auto& [key, value] : refused) {
    json config = json::parse(config_of("toy-sd"));
    config[key] = value;
    try {
      parse_vae_config(config.dump(), "vae/config.json");
      ADD_FAILURE() << key << " " << value;
    } catch (const Error& error) {
      EXPECT_EQ(error.status(), ExitStatus::kUsage);
      const std::string message = error.what();
      EXPECT_TRUE(message.find("vae/config.json: ") == 0) << message;
      EXPECT_NE(message.find(key == "norm_num_groups" ? "block_out_channels" : "'" + key + "'"),
                std::string::npos)
          << message;
    }
  }
}

}  // namespace
}  // namespace leco
