#include "sample/shared_rows.h"

#include <fmt/format.h>

#include <algorithm>

#include "comm/watchdog.h"
#include "core/error.h"
#include "core/fault.h"
#include "core/log.h"
#include "plan/cost.h"
#include "plan/shares.h"

namespace leco {
namespace {

using torch::Tensor;

double cost_of(const DrawingRow& row) {
  const int64_t passes = row.steps * (row.is_guided() ? 2 : 1) + 1;  // the VAE's counts as one more
  return static_cast<double>(passes * std::ssize(row.scales)) * forward_cost({row.height, row.width});
}

struct DrawnRow {
  Tensor latents;  // (scales, 4, h, w)
  Tensor pixels;   // (scales, H, W, 3), uint8
};

Tensor pixels_of(const std::vector<Picture>& pictures, const DrawingRow& row) {
  Tensor pixels = at::empty({std::ssize(pictures), row.height, row.width, 3}, torch::kUInt8);
  for (size_t i = 0; i < pictures.size(); ++i)
    std::ranges::copy(pictures[i].rgb, pixels[static_cast<int64_t>(i)].data_ptr<uint8_t>());
  return pixels;
}

std::vector<Picture> pictures_of(const Tensor& pixels) {
  std::vector<Picture> pictures;
  for (const Tensor& one : pixels.unbind()) {
    Picture& picture = pictures.emplace_back(one.size(1), one.size(0));
    std::copy_n(one.data_ptr<uint8_t>(), one.numel(), picture.rgb.begin());
  }
  return pictures;
}

void check_finite(const Tensor& latents, const DrawingRow& row) {
  for (int64_t column = 0; column < latents.size(0); ++column)
    if (!latents[column].isfinite().all().item<bool>())
      throw Error(
          fmt::format("the picture of {:?} at scale {} is not made of finite numbers: the LoRA is too "
                      "strong there, take smaller scales",
                      row.prompt, row.scales[column]));
}

// Decoded one by one, so that memory does not grow with the number of scales.
std::vector<Picture> decode(const Vae& vae, const Tensor& latents, const DrawingRow& row) {
  std::vector<Picture> pictures;
  bool all_finite = true;
  for (const Tensor& column : latents.split(1)) {
    const Tensor image = vae.decode(column)[0].cpu();
    all_finite = all_finite && image.isfinite().all().item<bool>();
    pictures.push_back(to_picture(image.nan_to_num(-1)));
  }
  if (!all_finite)
    log::warning(fmt::format("the picture of {:?} is not finite somewhere and black there", row.prompt));
  return pictures;
}

// Takes this rank out of a row.
struct LeavesOff {};

DrawnRow draw_row(const DrawingModel& model, const Vae& vae, const DrawingRow& row, const DrawingTask& task) {
  const torch::NoGradGuard no_gradient;
  const Tensor latents = draw_latents(model, row, [&] {
    fault_point(FaultPoint::kDrawing);
    if (task.stop() != 0) throw LeavesOff();
  });
  fault_point(FaultPoint::kPicture);
  if (task.as == DrawingTask::As::kResult) check_finite(latents, row);
  return {latents.cpu(), pixels_of(decode(vae, latents, row), row)};
}

// The owner's tensor on rank 0. The others take part and forget it.
Tensor brought(Tensor tensor, int owner, Communicator& host) {
  host.broadcast(tensor, owner);
  return host.rank() == 0 ? tensor : Tensor();
}

constexpr int kNobody = -1;

// Who drew each row, of shares of which each rank did the first so many.
std::vector<int> owners(const std::vector<std::vector<int64_t>>& shares, const std::vector<double>& done,
                        size_t rows) {
  std::vector<int> owner(rows, kNobody);
  for (size_t rank = 0; rank < shares.size(); ++rank)
    for (size_t place = 0; place < static_cast<size_t>(done[rank]); ++place)
      owner[shares[rank][place]] = static_cast<int>(rank);
  return owner;
}

}  // namespace

SharedRows draw_shared(const DrawingModel& model, const Vae& vae, const std::vector<DrawingRow>& rows,
                       Communicator& host, const DrawingTask& task) {
  std::vector<double> costs;
  for (const DrawingRow& row : rows) costs.push_back(cost_of(row));
  const auto shares = share_out(costs, host.size());

  static Pace pace;  // of all that this process draws
  std::vector<DrawnRow> drawn(rows.size());
  double done = 0;  // of this rank's share
  try {
    for (const int64_t row : shares[host.rank()]) {
      const Watch watch = Watch::of_my_work(fmt::format("drawing of row {}", row + 1), pace, costs[row]);
      drawn[row] = draw_row(model, vae, rows[row], task);
      if (task.as == DrawingTask::As::kResult)
        log::info(fmt::format("drew row {} of {}", row + 1, rows.size()));
      ++done;
    }
  } catch (const LeavesOff&) {
    log::debug("leaves off in the midst of a row");
  }

  SharedRows shared{.pictures = std::vector<std::vector<Picture>>(rows.size()),
                    .latents = std::vector<Tensor>(rows.size())};
  const std::vector<int> owner = owners(shares, host.all_gather(done), rows.size());
  if (std::ranges::count(owner, kNobody) > 0)
    shared.stopped_by = static_cast<int>(std::ranges::max(host.all_gather(task.stop())));
  for (size_t i = 0; i < rows.size(); ++i) {
    if (owner[i] == kNobody) continue;
    const DrawingRow& row = rows[i];
    const int64_t columns = std::ssize(row.scales);
    if (owner[i] != host.rank())
      drawn[i] = {at::empty({columns, 4, row.height / 8, row.width / 8}, torch::kFloat32),
                  at::empty({columns, row.height, row.width, 3}, torch::kUInt8)};
    const Tensor latents = brought(std::move(drawn[i].latents), owner[i], host);
    const Tensor pixels = brought(std::move(drawn[i].pixels), owner[i], host);
    if (host.rank() != 0) continue;
    shared.latents[i] = latents;
    shared.pictures[i] = pictures_of(pixels);
  }
  return shared;
}

}  // namespace leco
