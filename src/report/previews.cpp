#include "report/previews.h"

#include <fmt/format.h>

#include <chrono>
#include <filesystem>
#include <utility>

#include "comm/watchdog.h"
#include "core/error.h"
#include "core/log.h"
#include "core/read_file.h"
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

std::string sheet_path(const TrainSettings& settings, int64_t step, size_t row) {
  return file_in(settings, fmt::format("-step{:08}-{:02}.png", step, row));
}

// What the preview files of one time show, one below the other.
Picture frame_of(const std::vector<Picture>& sheets) {
  const Picture frame = stack(sheets);
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
    const std::string title = fmt::format("{}, step {}", given_.settings.output_name, finished_steps);
    for (size_t i = 0; i < given_.rows.size(); ++i) {
      const DrawingRow& row = given_.rows[i];
      drawn.sheets.push_back(draw_grid(grid_of(row, std::move(shared.pictures[i]), title)));
      drawn.files.push_back(sheet_path(given_.settings, finished_steps, i));
      PngTexts texts = texts_of(row);
      texts.emplace_back("step", fmt::format("{}", finished_steps));
      write_file_atomically(drawn.files.back(), encode_png(drawn.sheets.back(), texts));
    }
    add_earlier_frames(finished_steps);
    growth_.add(frame_of(drawn.sheets));
  }
  drawn.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return drawn;
}

// A start that goes on finds them in the files of the starts before it. A time that is not there whole is
// left out.
void Previews::add_earlier_frames(int64_t before) {
  if (given_.settings.resume.empty() || std::exchange(has_earlier_, true)) return;
  for (int64_t step = 0; step < before; step += given_.settings.preview.every_n_steps.value_or(before)) {
    if (!is_due(step)) continue;
    try {
      std::vector<Picture> sheets;
      for (size_t row = 0; row < given_.rows.size(); ++row)
        sheets.push_back(decode_png(read_local_file(sheet_path(given_.settings, step, row))));
      growth_.add(frame_of(sheets));
    } catch (const Error& error) {
      log::debug(fmt::format("no frame of step {}: {}", step, error.what()));
    }
  }
}

std::string Previews::write_growth() {
  add_earlier_frames(given_.settings.max_train_steps + 1);
  std::vector<Picture> frames = growth_.pictures();
  if (frames.empty()) return {};
  // Other prompts than at an earlier start may make other frames, and a GIF's are of one size.
  std::erase_if(frames, [size = std::pair(frames.back().width, frames.back().height)](const Picture& frame) {
    return std::pair(frame.width, frame.height) != size;
  });
  const std::string path = file_in(given_.settings, "-growth.gif");
  write_file_atomically(path, encode_gif(frames, kFrameSeconds));
  return path;
}

std::string preview_folder(const TrainSettings& settings) {
  return (std::filesystem::path(settings.output_dir) / "sample").string();
}

}  // namespace leco
