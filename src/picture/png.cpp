#include "picture/png.h"

#include <fmt/format.h>
#include <png.h>

#include <algorithm>
#include <csetjmp>

#include "core/error.h"
#include "core/utf8.h"

namespace leco {
namespace {

bool is_ascii(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

png_text text_chunk(const std::pair<std::string, std::string>& entry) {
  const auto& [keyword, value] = entry;
  const bool printable = std::ranges::all_of(keyword, [](char c) { return c >= ' ' && c <= '~'; });
  if (keyword.empty() || keyword.size() > 79 || !printable || !is_utf8(value) ||
      value.find('\0') != std::string::npos)
    throw Error(fmt::format("{:?}: {:?} cannot be a text in a PNG file", keyword, value));
  png_text chunk = {};
  chunk.compression = is_ascii(value) ? PNG_TEXT_COMPRESSION_NONE : PNG_ITXT_COMPRESSION_NONE;
  chunk.key = const_cast<char*>(keyword.c_str());
  chunk.text = const_cast<char*>(value.c_str());
  return chunk;
}

struct Writing {
  png_structp png = nullptr;
  png_infop info = nullptr;
  std::string bytes, fault;
  ~Writing() { png_destroy_write_struct(&png, &info); }
};

void note_fault(png_structp png, png_const_charp message) {
  static_cast<Writing*>(png_get_error_ptr(png))->fault = message;
  png_longjmp(png, 1);
}

void append(png_structp png, png_bytep bytes, size_t count) {
  static_cast<Writing*>(png_get_io_ptr(png))->bytes.append(reinterpret_cast<const char*>(bytes), count);
}

// libpng leaves this function by a jump when it fails, so nothing in it has a destructor.
bool write(Writing& writing, const Picture& picture, const std::vector<png_text>& chunks) {
  png_structp png = writing.png;
  if (setjmp(png_jmpbuf(png)) != 0) return false;
  png_set_write_fn(png, &writing, append, [](png_structp) {});
  png_set_IHDR(png, writing.info, picture.width, picture.height, 8, PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE,
               PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  png_set_compression_level(png, 6);
  png_set_text(png, writing.info, chunks.data(), static_cast<int>(chunks.size()));
  png_write_info(png, writing.info);
  for (int64_t y = 0; y < picture.height; ++y) png_write_row(png, picture.row(y).data());
  png_write_end(png, nullptr);
  return true;
}

}  // namespace

std::string encode_png(const Picture& picture, const PngTexts& texts) {
  std::vector<png_text> chunks;
  for (const auto& entry : texts) chunks.push_back(text_chunk(entry));
  Writing writing;
  writing.png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &writing, note_fault,
                                        [](png_structp, png_const_charp) {});
  writing.info = writing.png == nullptr ? nullptr : png_create_info_struct(writing.png);
  if (writing.info == nullptr)
    throw Error("libpng cannot be used: out of memory, or another version than at build time");
  if (!write(writing, picture, chunks))
    throw Error(fmt::format("a picture of {} × {} pixels cannot become a PNG file: {}", picture.width,
                            picture.height, writing.fault));
  return std::move(writing.bytes);
}

Picture decode_png(std::string_view file) {
  constexpr int64_t kMostPixels = int64_t{1} << 28;
  png_image image = {};
  image.version = PNG_IMAGE_VERSION;
  const auto fail = [&] { throw Error(fmt::format("no PNG file that can be read: {}", image.message)); };
  if (png_image_begin_read_from_memory(&image, file.data(), file.size()) == 0) fail();
  const bool is_too_large = int64_t{image.width} * image.height > kMostPixels;
  if (is_too_large) png_image_free(&image);
  if (is_too_large) throw Error(fmt::format("a PNG file of {} × {} pixels", image.width, image.height));
  image.format = PNG_FORMAT_RGB;
  Picture picture(image.width, image.height);
  if (png_image_finish_read(&image, nullptr, picture.rgb.data(), 0, nullptr) == 0) fail();
  return picture;
}

}  // namespace leco
