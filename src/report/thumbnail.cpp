#include "report/thumbnail.h"

#include <algorithm>

#include "core/error.h"
#include "picture/jpeg.h"

namespace leco {
namespace {

constexpr int64_t kWidest = 64;  // pixels of one picture
constexpr int64_t kGap = 2;
constexpr size_t kMostRows = 6;

Picture sheet_of(const std::vector<std::vector<Picture>>& rows) {
  const Picture& first = rows.front().front();
  const int64_t factor =
      std::min((std::max(first.width, first.height) - 1) / kWidest + 1, std::min(first.width, first.height));
  std::vector<Picture> lines;
  for (const std::vector<Picture>& row : rows) {
    if (lines.size() == kMostRows) break;
    const int64_t width = first.width / factor + kGap, height = first.height / factor + kGap;
    Picture& line = lines.emplace_back(std::ssize(row) * width, height);
    for (size_t i = 0; i < row.size(); ++i)
      if (row[i].width == first.width && row[i].height == first.height)
        line.paste(shrink(row[i], factor), static_cast<int64_t>(i) * width, 0);
  }
  return stack(lines);
}

}  // namespace

std::string thumbnail_of(const std::vector<std::vector<Picture>>& rows) {
  LECO_ASSERT(!rows.empty() && !rows.front().empty());
  for (Picture sheet = sheet_of(rows);; sheet = shrink(sheet, 2))
    for (const int quality : {85, 70, 50, 30}) {
      std::string bytes = encode_jpeg(sheet, quality);
      if (bytes.size() <= kMostThumbnailBytes || std::min(sheet.width, sheet.height) < 2) return bytes;
    }
}

}  // namespace leco
