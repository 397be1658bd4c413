#include "picture/jpeg.h"

#include <fmt/format.h>

#include <csetjmp>
#include <cstdio>
#include <cstdlib>

// libjpeg's header needs <cstdio> before it.
#include <jpeglib.h>

#include "core/error.h"

namespace leco {
namespace {

struct Writing {
  jpeg_compress_struct jpeg = {};
  jpeg_error_mgr errors = {};
  std::jmp_buf back = {};
  char fault[JMSG_LENGTH_MAX] = {};
  unsigned char* bytes = nullptr;  // libjpeg allocates and moves it
  unsigned long size = 0;          // NOLINT(google-runtime-int): libjpeg's type
  Writing() = default;
  Writing(const Writing&) = delete;
  Writing& operator=(const Writing&) = delete;
  ~Writing() {
    jpeg_destroy_compress(&jpeg);
    std::free(bytes);
  }
};

[[noreturn]] void note_fault(j_common_ptr jpeg) {
  auto* writing = static_cast<Writing*>(jpeg->client_data);
  jpeg->err->format_message(jpeg, writing->fault);
  std::longjmp(writing->back, 1);
}

// libjpeg leaves this function by a jump when it fails, so nothing in it has a destructor.
bool write(Writing& writing, const Picture& picture, int quality) {
  jpeg_compress_struct& jpeg = writing.jpeg;
  jpeg.err = jpeg_std_error(&writing.errors);
  writing.errors.error_exit = note_fault;
  writing.errors.output_message = [](j_common_ptr) {};
  jpeg.client_data = &writing;
  if (setjmp(writing.back) != 0) return false;
  jpeg_create_compress(&jpeg);
  jpeg_mem_dest(&jpeg, &writing.bytes, &writing.size);
  jpeg.image_width = static_cast<JDIMENSION>(picture.width);
  jpeg.image_height = static_cast<JDIMENSION>(picture.height);
  jpeg.input_components = 3;
  jpeg.in_color_space = JCS_RGB;
  jpeg_set_defaults(&jpeg);
  jpeg_set_quality(&jpeg, quality, TRUE);
  jpeg.optimize_coding = TRUE;
  jpeg_start_compress(&jpeg, TRUE);
  while (jpeg.next_scanline < jpeg.image_height) {
    auto* line = const_cast<JSAMPROW>(picture.row(jpeg.next_scanline).data());
    jpeg_write_scanlines(&jpeg, &line, 1);
  }
  jpeg_finish_compress(&jpeg);
  return true;
}

}  // namespace

std::string encode_jpeg(const Picture& picture, int quality) {
  Writing writing;
  if (!write(writing, picture, quality))
    throw Error(fmt::format("a picture of {} × {} pixels cannot become a JPEG file: {}", picture.width,
                            picture.height, writing.fault));
  return {reinterpret_cast<const char*>(writing.bytes), writing.size};
}

}  // namespace leco
