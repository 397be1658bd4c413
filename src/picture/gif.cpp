#include "picture/gif.h"

#include <fmt/format.h>
#include <gif_lib.h>

#include <bit>
#include <cmath>
#include <memory>

#include "core/error.h"
#include "picture/palette.h"

namespace leco {
namespace {

// libgif says whether a call went well, and the reason lies in the file's record.
class GifWriter {
 public:
  GifWriter() {
    int reason = 0;
    gif_ = EGifOpen(&bytes_, append, &reason);
    if (gif_ == nullptr) fail(reason);
    EGifSetGifVersion(gif_, true);  // 89a: extensions
  }
  ~GifWriter() {
    int reason = 0;
    if (gif_ != nullptr) EGifCloseFile(gif_, &reason);
  }
  GifWriter(const GifWriter&) = delete;
  GifWriter& operator=(const GifWriter&) = delete;

  void begin(int width, int height, const std::vector<Colour>& palette) {
    const auto entries = static_cast<int>(std::bit_ceil(std::max<size_t>(palette.size(), 2)));
    const std::unique_ptr<ColorMapObject, void (*)(ColorMapObject*)> map(GifMakeMapObject(entries, nullptr),
                                                                         GifFreeMapObject);
    if (!map) fail(E_GIF_ERR_NOT_ENOUGH_MEM);
    for (size_t i = 0; i < palette.size(); ++i)
      map->Colors[i] = {.Red = palette[i][0], .Green = palette[i][1], .Blue = palette[i][2]};
    check(EGifPutScreenDesc(gif_, width, height, 8, 0, map.get()));
    const unsigned char forever[] = {1, 0, 0};
    check(EGifPutExtensionLeader(gif_, APPLICATION_EXT_FUNC_CODE));
    check(EGifPutExtensionBlock(gif_, 11, "NETSCAPE2.0"));
    check(EGifPutExtensionBlock(gif_, 3, forever));
    check(EGifPutExtensionTrailer(gif_));
  }

  void frame(int width, int height, std::vector<uint8_t> indices, int hundredths) {
    const GraphicsControlBlock control = {.DisposalMode = DISPOSE_DO_NOT,
                                          .UserInputFlag = false,
                                          .DelayTime = hundredths,
                                          .TransparentColor = NO_TRANSPARENT_COLOR};
    unsigned char packed[4];
    EGifGCBToExtension(&control, packed);
    check(EGifPutExtension(gif_, GRAPHICS_EXT_FUNC_CODE, sizeof packed, packed));
    check(EGifPutImageDesc(gif_, 0, 0, width, height, false, nullptr));
    for (int y = 0; y < height; ++y) check(EGifPutLine(gif_, indices.data() + int64_t{y} * width, width));
  }

  std::string finish() {
    int reason = 0;
    if (EGifCloseFile(std::exchange(gif_, nullptr), &reason) == GIF_ERROR) fail(reason);
    return std::move(bytes_);
  }

 private:
  static int append(GifFileType* gif, const GifByteType* bytes, int count) {
    static_cast<std::string*>(gif->UserData)->append(reinterpret_cast<const char*>(bytes), count);
    return count;
  }
  [[noreturn]] static void fail(int reason) {
    const char* text = GifErrorString(reason);
    throw Error(
        fmt::format("pictures cannot become a GIF file: {}", text == nullptr ? "unknown reason" : text));
  }
  void check(int status) const {
    if (status == GIF_ERROR) fail(gif_->Error);
  }

  std::string bytes_;
  GifFileType* gif_ = nullptr;
};

}  // namespace

std::string encode_gif(const std::vector<Picture>& pictures, double seconds) {
  LECO_ASSERT(!pictures.empty() && seconds >= 0);
  const auto [width, height] = std::pair(pictures[0].width, pictures[0].height);
  if (width > 65535 || height > 65535)
    throw Error(fmt::format("a GIF file cannot hold {} × {} pixels: 65535 a side at most", width, height));
  const std::vector<Colour> palette = choose_palette(pictures);
  const auto hundredths = static_cast<int>(std::lround(100 * seconds));
  GifWriter writer;
  writer.begin(static_cast<int>(width), static_cast<int>(height), palette);
  for (const Picture& picture : pictures) {
    LECO_ASSERT(picture.width == width && picture.height == height);
    const bool last = &picture == &pictures.back();
    writer.frame(static_cast<int>(width), static_cast<int>(height), map_to_palette(picture, palette),
                 last ? 3 * hundredths : hundredths);
  }
  return writer.finish();
}

}  // namespace leco
