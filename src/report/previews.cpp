#include "report/previews.h"

#include <fmt/format.h>

#include <chrono>
#include <filesystem>

#include "comm/watchdog.h"
#include "io/atomic_file.h"
#include "picture/gif.h"
#include "sample/shared_rows.h"

namespace leco {
namespace {

constexpr int64_t kWidestFrame = 1280;  // pixels
constexpr double kFrameSeconds = 0.4;

std::string file_in(const TrainSettings& settings, const std::string& rest) {
  return (std::filesystem::path(preview_folder(settings)) / (settings.output_name + rest)).string();
}

std::string title_of(const TrainSettings& settings, int64_t step) {
  return fmt::format("{}, step {}", settings.output_name, step);
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
  const Watch watch(fmt::format("previews of step {}", finished_steps), kNoLimit);
  SharedRows shared = draw_shared(given_.model, *given_.vae, given_.rows, given_.comm, DrawnAs::kPreview);
  Drawn drawn{.step = finished_steps};
  if (given_.comm.rank() == 0) {
    std::vector<DrawnRow> rows;
    for (size_t i = 0; i < given_.rows.size(); ++i)
      rows.push_back({given_.rows[i], std::move(shared.pictures[i])});
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
