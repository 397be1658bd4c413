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
#include "train/replica_check.h"

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

bool previews_are_due(const TrainSettings& settings, int64_t finished_steps) {
  const PreviewSettings& preview = settings.preview;
  if (finished_steps == 0) return preview.at_first;
  return preview.every_n_steps && finished_steps % *preview.every_n_steps == 0;
}

Previews::Previews(Given given) : given_(std::move(given)), goes_on_(!given_.settings.resume.empty()) {}

PngTexts Previews::texts(size_t row, int64_t step) const {
  PngTexts texts = texts_of(given_.rows[row]);
  texts.emplace_back("step", fmt::format("{}", step));
  texts.emplace_back("lora_checksum", lora_checksum_);
  return texts;
}

// The sheets that are there as this start would write them. On rank 0.
std::vector<std::optional<Picture>> Previews::find_earlier(int64_t step) const {
  std::vector<std::optional<Picture>> sheets(given_.rows.size());
  for (size_t row = 0; row < sheets.size(); ++row) {
    try {
      const std::string file = read_local_file(sheet_path(given_.settings, step, row));
      Picture sheet = decode_png(file);
      if (encode_png(sheet, texts(row, step)) == file) sheets[row] = std::move(sheet);
    } catch (const Error& error) {
      log::debug(fmt::format("row {} of step {} is drawn: {}", row + 1, step, error.what()));
    }
  }
  return sheets;
}

Previews::Drawn Previews::draw(int64_t finished_steps, const std::function<int()>& stop) {
  const auto start = std::chrono::steady_clock::now();
  const Watch watch(fmt::format("previews of step {}", finished_steps), kNoLimit);
  const bool is_first = given_.comm.rank() == 0;
  if (is_first) lora_checksum_ = fmt::format("{}", replica_checksum(given_.network.weights()));
  std::vector<std::optional<Picture>> sheets(given_.rows.size());
  if (is_first && goes_on_) sheets = find_earlier(finished_steps);
  goes_on_ = false;
  const std::vector<size_t> places = missing_on_first(sheets);
  std::vector<DrawingRow> missing;
  for (const size_t place : places) missing.push_back(given_.rows[place]);
  SharedRows shared = draw_shared(given_.model, *given_.vae, missing, given_.comm,
                                  {.as = DrawingTask::As::kPreview, .stop = stop});
  Drawn drawn{
      .step = finished_steps, .stopped_by = shared.stopped_by, .found = sheets.size() - missing.size()};
  if (is_first) {
    for (size_t i = 0; i < missing.size(); ++i)
      if (!shared.pictures[i].empty())
        sheets[places[i]] = write_sheet(places[i], finished_steps, std::move(shared.pictures[i]));
    if (drawn.stopped_by == 0) show(drawn, std::move(sheets));
  }
  drawn.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return drawn;
}

// The places of the sheets that rank 0 does not have, on every rank.
std::vector<size_t> Previews::missing_on_first(const std::vector<std::optional<Picture>>& sheets) const {
  torch::Tensor is_missing = at::zeros({std::ssize(sheets)}, torch::kInt64);
  auto of_sheet = is_missing.accessor<int64_t, 1>();
  for (size_t i = 0; i < sheets.size(); ++i) of_sheet[static_cast<int64_t>(i)] = sheets[i] ? 0 : 1;
  given_.comm.broadcast(is_missing, 0);
  std::vector<size_t> places;
  for (size_t i = 0; i < sheets.size(); ++i)
    if (of_sheet[static_cast<int64_t>(i)] != 0) places.push_back(i);
  return places;
}

Picture Previews::write_sheet(size_t row, int64_t step, std::vector<Picture> pictures) const {
  const std::string title = fmt::format("{}, step {}", given_.settings.output_name, step);
  Picture sheet = draw_grid(grid_of(given_.rows[row], std::move(pictures), title));
  write_file_atomically(sheet_path(given_.settings, step, row), encode_png(sheet, texts(row, step)));
  return sheet;
}

void Previews::show(Drawn& drawn, std::vector<std::optional<Picture>> sheets) {
  for (size_t i = 0; i < sheets.size(); ++i) {
    drawn.files.push_back(sheet_path(given_.settings, drawn.step, i));
    drawn.sheets.push_back(std::move(*sheets[i]));
  }
  add_earlier_frames(drawn.step);
  growth_.add(frame_of(drawn.sheets));
}

// A start that goes on finds them in the files of the starts before it. A time that is not there whole is
// left out.
void Previews::add_earlier_frames(int64_t before) {
  if (given_.settings.resume.empty() || std::exchange(has_earlier_, true)) return;
  for (int64_t step = 0; step < before; step += given_.settings.preview.every_n_steps.value_or(before)) {
    if (!previews_are_due(given_.settings, step)) continue;
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
