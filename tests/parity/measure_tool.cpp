// What src/measure makes of pictures, for measure_python_test.py.
//   measure_tool distance IN               two pictures 'a', 'b' (H, W, 3) → the two distances, a line each
//   measure_tool resize IN OUT H W         'a' resized
//   measure_tool clip FOLDER IN OUT TEXT…  'pixels' of 'a', its 'picture' embedding and the 'prompts'
#include <fmt/format.h>

#include <cstdio>
#include <stdexcept>

#include "io/safetensors.h"
#include "measure/bicubic_resize.h"
#include "measure/clip_score.h"
#include "measure/picture_distance.h"

namespace {

using namespace leco;
using torch::Tensor;

Tensor read(const std::string& path, const std::string& name) {
  const SafetensorsFile file(path);
  for (const TensorInfo& info : file.header().tensors)
    if (info.name == name) return file.tensor(info).clone();
  throw std::runtime_error(path + " has no " + name);
}

void clip(const std::vector<std::string>& words) {
  LocalFileSource files;
  ClipFolder folder = open_clip_folder(files, words[1], Contents::kWeights);
  const Tensor picture = read(words[2], "a"), pixels = clip_pixels(picture, folder.picture);
  const ClipScore score(std::move(folder), torch::kCPU);
  std::vector<Tensor> prompts;
  for (size_t i = 4; i < words.size(); ++i) prompts.push_back(score.of_prompt(words[i]));
  write_safetensors(
      words[3], {{"pixels", pixels}, {"picture", score.of_picture(picture)}, {"prompts", at::stack(prompts)}},
      {});
}

}  // namespace

int main(int count, char** values) {
  const std::vector<std::string> words(values + 1, values + count);
  try {
    if (words.at(0) == "distance") {
      const Tensor a = read(words.at(1), "a"), b = read(words.at(1), "b");
      fmt::print("{}\n{}\n", mean_absolute_difference(a, b), structural_similarity(a, b));
    } else if (words.at(0) == "resize") {
      const Tensor resized =
          resize_bicubic(read(words.at(1), "a"), std::stoll(words.at(3)), std::stoll(words.at(4)));
      write_safetensors(words[2], {{"a", resized}}, {});
    } else {
      clip(words);
    }
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 2;
  }
}
