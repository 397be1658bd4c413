#include "launcher/evaluate/evaluate_output.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "core/log.h"
#include "io/atomic_file.h"
#include "io/safetensors.h"
#include "measure/bicubic_resize.h"
#include "measure/picture_measures.h"
#include "picture/png.h"
#include "report/evaluation_report.h"
#include "report/thumbnail.h"

namespace leco {
namespace {

using torch::Tensor;

constexpr const char* kRangeKey = "leco_recommended_range";
constexpr int64_t kWidestEmbedded = 384, kSmall = 192;  // pixels

Tensor as_tensor(const Picture& picture) {
  return at::tensor(picture.rgb, torch::kUInt8).view({picture.height, picture.width, 3});
}

Picture as_picture(const Tensor& values) {
  Picture picture(values.size(1), values.size(0));
  const Tensor plain = values.contiguous();
  std::copy_n(plain.const_data_ptr<uint8_t>(), plain.numel(), picture.rgb.begin());
  return picture;
}

// Small enough that a page of many pictures still opens at once.
std::string embedded_png(const Picture& picture) {
  if (picture.width <= kWidestEmbedded) return encode_png(picture);
  const int64_t height = std::max<int64_t>(1, picture.height * kWidestEmbedded / picture.width);
  return encode_png(as_picture(resize_bicubic(as_tensor(picture), height, kWidestEmbedded)));
}

void measure_pictures(const EvaluateOutput& output, const std::vector<std::vector<Picture>>& pictures,
                      std::vector<ScaleMeasures>& scales) {
  std::vector<MeasuredRow> rows;
  for (int64_t i = 0; i < output.target_rows; ++i) {
    MeasuredRow& row = rows.emplace_back(MeasuredRow{output.rows[i].prompt, {}});
    for (const Picture& picture : pictures[i]) row.pictures.push_back(as_tensor(picture));
  }
  measure_distances(rows, scales);
  if (output.settings.clip_model.empty()) return;
  log::info(fmt::format("comparing the pictures with the prompts by '{}'", output.settings.clip_model));
  LocalFileSource local;
  const ClipScore clip(open_clip_folder(local, output.settings.clip_model, Contents::kWeights), torch::kCPU);
  measure_clip(clip, rows, output.directions, scales);
}

EvaluationReport report_of(const EvaluateOutput& output, std::vector<ScaleMeasures> scales,
                           const std::vector<std::vector<Picture>>& pictures) {
  EvaluationReport report{
      .lora = std::filesystem::path(output.settings.model.network_weights).filename().string(),
      .directions = output.directions,
      .scales = std::move(scales),
      .curve = {},
      .pictures = {},
      .picture_width = pictures.front().front().width,
      .picture_height = pictures.front().front().height,
      .settings = {{"model", output.model}}};
  report.curve = measure_curve(report.scales);
  report.keeps_pixels = report.picture_width <= kSmall;
  for (size_t i = 0; i < pictures.size(); ++i) {
    auto& row = report.pictures.emplace_back();
    row.prompt = output.rows[i].prompt;
    row.is_preserved = static_cast<int64_t>(i) >= output.target_rows;
    for (const Picture& picture : pictures[i]) row.pngs.push_back(embedded_png(picture));
  }
  for (const auto& [name, value] : effective_settings(output.settings))
    report.settings.emplace_back(name, value);
  return report;
}

// A file that says what is measured already is left as it is, byte for byte.
void annotate(const std::string& path, const std::optional<ScaleRange>& range) {
  Metadata metadata = SafetensorsFile(path).header().metadata;
  const Metadata before = metadata;
  if (range)
    metadata[kRangeKey] = fmt::format("[{}, {}]", range->from, range->to);
  else
    metadata.erase(kRangeKey);
  if (!range) log::warning(fmt::format("--annotate: no range can be recommended, so '{}' gets none", path));
  if (metadata != before) replace_metadata(path, metadata);
}

}  // namespace

std::string write_evaluation(const EvaluateOutput& output, std::vector<ScaleMeasures> scales,
                             const std::vector<std::vector<Picture>>& pictures) {
  measure_pictures(output, pictures, scales);
  const EvaluationReport report = report_of(output, std::move(scales), pictures);
  const std::filesystem::path folder = output.settings.output;
  std::string written;
  const auto write = [&](const char* name, const std::string& text) {
    const std::string path = (folder / name).string();
    write_file_atomically(path, text);
    written += path + "\n";
  };
  if (output.settings.thumbnail) write(kThumbnailName, thumbnail_of(pictures));
  write("report.json", evaluation_json(report));
  write("report.html", evaluation_page(report));
  if (output.settings.annotate) {
    annotate(output.settings.model.network_weights, report.curve.recommended_range);
    written += output.settings.model.network_weights + "\n";
  }
  return written;
}

}  // namespace leco
