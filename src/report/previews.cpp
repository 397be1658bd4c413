#include "report/previews.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <filesystem>

#include "core/log.h"
#include "io/atomic_file.h"
#include "picture/gif.h"

namespace leco {
namespace {

using torch::Tensor;

constexpr int64_t kWidestFrame = 1280;  // pixels
constexpr double kFrameSeconds = 0.4;

std::string file_in(const TrainSettings& settings, const std::string& rest) {
  return (std::filesystem::path(preview_folder(settings)) / (settings.output_name + rest)).string();
}

std::string title_of(const TrainSettings& settings, int64_t step) {
  return fmt::format("{}, step {}", settings.output_name, step);
}

// The owner's pictures, on every rank.
void share(std::vector<Picture>& pictures, const DrawingRow& row, int owner, Communicator& comm) {
  if (comm.rank() != owner) pictures.assign(row.scales.size(), Picture(row.width, row.height));
  for (Picture& picture : pictures) {
    Tensor bytes = at::from_blob(picture.rgb.data(), {std::ssize(picture.rgb)}, torch::kUInt8);
    comm.broadcast(bytes, owner);
  }
}

Picture frame_of(const std::vector<DrawnRow>& rows, const std::string& title) {
  std::vector<Picture> sheets;
  for (const PictureGrid& grid : grids_of(rows, title)) sheets.push_back(draw_grid(grid));
  Picture frame = stack(sheets);
  return shrink(frame, (frame.width - 1) / kWidestFrame + 1);
}

}  // namespace

Previews::Previews(Given given) : given_(std::move(given)) {}

bool Previews::is_due(int64_t finished_steps) const {
  const PreviewSettings& preview = given_.settings.preview;
  if (finished_steps == 0) return preview.at_first;
  return preview.every_n_steps && finished_steps % *preview.every_n_steps == 0;
}

Previews::Drawn Previews::draw(int64_t finished_steps) {
  const auto start = std::chrono::steady_clock::now();
  const std::vector<DrawnRow> rows = draw_rows();
  Drawn drawn{.step = finished_steps};
  if (given_.comm.rank() == 0) {
    for (size_t i = 0; i < rows.size(); ++i) {
      drawn.sheets.push_back(
          draw_grid(grids_of({rows[i]}, title_of(given_.settings, finished_steps)).front()));
      drawn.files.push_back(file_in(given_.settings, fmt::format("-step{:08}-{:02}.png", finished_steps, i)));
      PngTexts texts = texts_of(rows[i].row);
      texts.emplace_back("step", fmt::format("{}", finished_steps));
      write_file_atomically(drawn.files.back(), encode_png(drawn.sheets.back(), texts));
    }
    growth_.add(frame_of(rows, title_of(given_.settings, finished_steps)));
  }
  drawn.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return drawn;
}

std::vector<Picture> Previews::pictures_of(const DrawingRow& row) const {
  const torch::NoGradGuard no_gradient;
  const Tensor latents = draw_latents(given_.model, row);
  std::vector<Picture> pictures;
  bool all_finite = true;
  for (const Tensor& column : latents.split(1)) {  // one after the other: a decoder takes much memory
    const Tensor image = given_.vae->decode(column).squeeze(0).cpu();
    all_finite = all_finite && at::isfinite(image).all().item<bool>();
    pictures.push_back(to_picture(image.nan_to_num(-1)));
  }
  if (!all_finite)
    log::warning(fmt::format("the preview of {:?} is not finite somewhere and black there", row.prompt));
  return pictures;
}

std::vector<DrawnRow> Previews::draw_rows() const {
  const auto owner = [this](size_t row) { return static_cast<int>(row % given_.comm.size()); };
  std::vector<DrawnRow> rows;
  for (const DrawingRow& row : given_.rows) {
    const bool mine = owner(rows.size()) == given_.comm.rank();
    rows.push_back({row, mine ? pictures_of(row) : std::vector<Picture>()});
  }
  for (size_t i = 0; i < rows.size(); ++i) share(rows[i].pictures, rows[i].row, owner(i), given_.comm);
  return rows;
}

std::string Previews::write_growth() const {
  const std::vector<Picture> frames = growth_.pictures();
  if (frames.empty()) return {};
  const std::string path = file_in(given_.settings, "-growth.gif");
  write_file_atomically(path, encode_gif(frames, kFrameSeconds));
  return path;
}

std::string preview_folder(const TrainSettings& settings) {
  return (std::filesystem::path(settings.output_dir) / "sample").string();
}

}  // namespace leco
