#include "measure/picture_measures.h"

#include <algorithm>
#include <map>

#include "core/error.h"
#include "measure/picture_distance.h"

namespace leco {
namespace {

using torch::Tensor;

size_t index_of_zero(const std::vector<ScaleMeasures>& scales) {
  const auto zero = std::ranges::find(scales, 0.0, &ScaleMeasures::scale);
  LECO_ASSERT(zero != scales.end());
  return zero - scales.begin();
}

}  // namespace

void measure_distances(const std::vector<MeasuredRow>& rows, std::vector<ScaleMeasures>& scales) {
  LECO_ASSERT(!rows.empty());
  const size_t zero = index_of_zero(scales);
  for (size_t i = 0; i < scales.size(); ++i) {
    double distance = 0, similarity = 0;
    for (const MeasuredRow& row : rows) {
      distance += mean_absolute_difference(row.pictures[i], row.pictures[zero]);
      similarity += structural_similarity(row.pictures[i], row.pictures[zero]);
    }
    scales[i].pixel_distance = distance / static_cast<double>(rows.size());
    scales[i].ssim = similarity / static_cast<double>(rows.size());
  }
}

void measure_clip(const ClipScore& clip, const std::vector<MeasuredRow>& rows,
                  const std::vector<PromptDirection>& directions, std::vector<ScaleMeasures>& scales) {
  const size_t zero = index_of_zero(scales);
  std::map<std::string, Tensor> prompts;
  for (const PromptDirection& direction : directions)
    for (const std::string& prompt : {direction.positive, direction.negative})
      if (!prompts.contains(prompt)) prompts[prompt] = clip.of_prompt(prompt);
  std::vector<ClipShift> sums(scales.size());
  double count = 0;
  for (const MeasuredRow& row : rows) {
    std::vector<Tensor> seen;
    for (const Tensor& picture : row.pictures) seen.push_back(clip.of_picture(picture));
    for (const PromptDirection& direction : directions) {
      if (direction.target != row.prompt) continue;
      ++count;
      for (size_t i = 0; i < scales.size(); ++i) {
        const auto shift = [&](const std::string& prompt) {
          return clip_score(seen[i], prompts[prompt]) - clip_score(seen[zero], prompts[prompt]);
        };
        sums[i].positive += shift(direction.positive);
        sums[i].negative += shift(direction.negative);
      }
    }
  }
  LECO_ASSERT(count > 0);
  for (size_t i = 0; i < scales.size(); ++i)
    scales[i].clip = ClipShift{sums[i].positive / count, sums[i].negative / count};
}

}  // namespace leco
