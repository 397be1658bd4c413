#include "report/event_file.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstring>
#include <filesystem>

#include "core/error.h"
#include "core/host_name.h"

namespace leco {
namespace {

static_assert(std::endian::native == std::endian::little,
              "records and numbers are written as they lie in memory");

template <class Number>
std::string raw(Number value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

// The wire format of protocol buffers: a field is its number and wire type, then the value.
std::string varint(uint64_t value) {
  std::string bytes;
  for (; value >= 0x80; value >>= 7) bytes += static_cast<char>(value | 0x80);
  return bytes + static_cast<char>(value);
}
std::string key(int field, int wire_type) {
  return varint(static_cast<uint64_t>(field << 3 | wire_type));
}
std::string integer_field(int field, int64_t value) {
  return key(field, 0) + varint(static_cast<uint64_t>(value));
}
std::string double_field(int field, double value) {
  return key(field, 1) + raw(value);
}
std::string float_field(int field, double value) {
  return key(field, 5) + raw(static_cast<float>(value));
}
std::string bytes_field(int field, std::string_view value) {
  return key(field, 2) + varint(value.size()) + std::string(value);
}

constexpr std::string_view kNameBegin = "events.out.tfevents.";

double now() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

// The seconds of now, but later than those of the files that are there: TensorBoard reads a folder's files in
// the order of their names, and two starts may fall into one second, or the clock be set back between them.
int64_t time_for_name(const std::filesystem::path& folder) {
  int64_t time = static_cast<int64_t>(now());
  constexpr size_t kDigits = 10;  // until the year 2286
  std::error_code failure;
  for (const auto& entry : std::filesystem::directory_iterator(folder, failure)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with(kNameBegin)) continue;
    int64_t of_file = 0;
    const char* begin = name.c_str() + kNameBegin.size();
    const auto end = std::from_chars(begin, name.c_str() + name.size(), of_file).ptr;
    if (end == begin + kDigits) time = std::max(time, of_file + 1);
  }
  return time;
}

}  // namespace

uint32_t crc32c(std::string_view bytes) {
  static const auto table = [] {
    std::array<uint32_t, 256> made{};
    for (uint32_t i = 0; i < 256; ++i) {
      uint32_t rest = i;
      for (int bit = 0; bit < 8; ++bit) rest = rest >> 1 ^ (rest & 1 ? 0x82f63b78u : 0u);
      made[i] = rest;
    }
    return made;
  }();
  uint32_t rest = 0xffffffffu;
  for (const char c : bytes) rest = table[(rest ^ static_cast<unsigned char>(c)) & 0xff] ^ rest >> 8;
  return ~rest;
}

uint32_t masked_crc32c(std::string_view bytes) {
  return std::rotr(crc32c(bytes), 15) + 0xa282ead8u;
}

EventFile::EventFile(const std::string& folder) {
  std::error_code failure;
  std::filesystem::create_directories(folder, failure);
  const std::string name =
      fmt::format("{}{}.{}.{}.0", kNameBegin, time_for_name(folder), host_name(), getpid());
  path_ = (std::filesystem::path(folder) / name).string();
  if (!failure) {
    out_.open(path_, std::ios::binary | std::ios::trunc);
    if (!out_) failure.assign(errno, std::generic_category());
  }
  if (failure) throw_usage(fmt::format("--logging_dir: cannot write '{}': {}", path_, failure.message()));
  record(double_field(1, now()) + bytes_field(3, "brain.Event:2"));  // what the file is
  flush();
}

void EventFile::scalar(const std::string& tag, int64_t step, double value) {
  summary(step, bytes_field(1, tag) + float_field(2, value));
}

void EventFile::image(const std::string& tag, int64_t step, const Picture& picture, const std::string& png) {
  constexpr int kRgb = 3;
  const std::string image = integer_field(1, picture.height) + integer_field(2, picture.width) +
                            integer_field(3, kRgb) + bytes_field(4, png);
  summary(step, bytes_field(1, tag) + bytes_field(4, image));
}

void EventFile::text(const std::string& tag, int64_t step, const std::string& markdown) {
  constexpr int kString = 7;
  const std::string tensor = integer_field(1, kString) + bytes_field(2, bytes_field(2, integer_field(1, 1))) +
                             bytes_field(8, markdown);  // one string, shape (1)
  const std::string plugin = bytes_field(1, bytes_field(1, "text"));
  summary(step, bytes_field(1, tag) + bytes_field(8, tensor) + bytes_field(9, plugin));
}

void EventFile::restart(int64_t step) {
  constexpr int kStart = 1;  // SessionLog.SessionStatus
  record(double_field(1, now()) + integer_field(2, step) + bytes_field(7, integer_field(1, kStart)));
  flush();
}

void EventFile::flush() {
  out_.flush();
  if (!out_) throw Error(fmt::format("cannot write '{}': {}", path_, std::strerror(errno)));
}

void EventFile::summary(int64_t step, const std::string& value) {
  record(double_field(1, now()) + integer_field(2, step) + bytes_field(5, bytes_field(1, value)));
}

void EventFile::record(const std::string& event) {
  const std::string length = raw<uint64_t>(event.size());
  out_ << length << raw(masked_crc32c(length)) << event << raw(masked_crc32c(event));
}

}  // namespace leco
