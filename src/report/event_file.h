// TensorBoard's event files, written without TensorFlow or protobuf: records framed as TFRecord, each an
// Event message of which we need seven fields. (tensorflow/core/util/event.proto, framework/summary.proto,
// lib/io/record_writer.h.)
#pragma once

#include <cstdint>
#include <fstream>
#include <string>
#include <string_view>

#include "picture/picture.h"

namespace leco {

class EventFile {
 public:
  // Creates the folder and "events.out.tfevents.<time>.<host>.<process>.0" in it, whose name comes
  // behind those of the files that are there. Usage error when that fails.
  explicit EventFile(const std::string& folder);

  // Each is a point of the curve, row of images or text called `tag`, at `step`. flush() makes them visible.
  void scalar(const std::string& tag, int64_t step, double value);
  void image(const std::string& tag, int64_t step, const Picture& picture, const std::string& png);
  void text(const std::string& tag, int64_t step, const std::string& markdown);
  // What files of the same folder hold of `step` and later steps counts no more.
  void restart(int64_t step);
  void flush();

  const std::string& path() const { return path_; }

 private:
  void record(const std::string& event);
  void summary(int64_t step, const std::string& value);

  std::string path_;
  std::ofstream out_;
};

// The checksum of RFC 3720 (Castagnoli), as a TFRecord wants it: rotated and shifted, so that the checksum of
// data that holds checksums stays meaningful.
uint32_t masked_crc32c(std::string_view bytes);
uint32_t crc32c(std::string_view bytes);

}  // namespace leco
