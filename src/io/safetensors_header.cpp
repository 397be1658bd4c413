#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <tuple>
#include <unordered_set>

#include "core/error.h"
#include "io/foreign_file.h"
#include "io/safetensors.h"
#include "io/safetensors_types.h"

namespace leco {
namespace {

constexpr uint64_t kLengthBytes = 8;
constexpr uint64_t kMaxHeaderBytes = 100'000'000;
constexpr size_t kMaxTensors = 100'000;
constexpr size_t kMaxDimensions = 64;

// A name from the file, fit for a one-line message: quoted, escaped, cut.
std::string shown(const std::string& name) {
  constexpr size_t kMost = 120;
  const std::string cut = name.size() > kMost ? name.substr(0, kMost) + "…" : name;
  const std::string escaped =
      nlohmann::json(cut).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  return "'" + escaped.substr(1, escaped.size() - 2) + "'";
}

[[noreturn]] void reject(const std::string& origin, const std::string& why) {
  throw_usage(fmt::format("'{}' is not a valid safetensors file: {}", origin, why));
}

// Fills a SafetensorsHeader from the parser's events. Where an event does not fit the place, it is refused at
// once; so nothing deeper than {"name": {"shape": [1]}} is ever entered, and the parser itself does not
// recurse.
class HeaderEvents final : public nlohmann::json_sax<nlohmann::json> {
 public:
  HeaderEvents(const std::string& origin, SafetensorsHeader& header) : origin_(origin), header_(header) {}

  bool start_object(size_t) override;
  bool key(std::string& name) override;
  bool end_object() override;
  bool start_array(size_t) override;
  bool end_array() override;
  bool string(std::string& text) override;
  bool number_unsigned(uint64_t value) override;
  bool null() override;

  bool boolean(bool) override { unexpected("true or false"); }
  bool number_integer(int64_t) override { unexpected("a negative number"); }
  bool number_float(double, const std::string&) override {
    unexpected("a number that is not a whole one below 2^64");
  }
  bool binary(nlohmann::json::binary_t&) override { unexpected("binary data"); }
  bool parse_error(size_t position, const std::string&, const nlohmann::json::exception& error) override;

 private:
  enum class Place { kOutside, kRoot, kMetadata, kTensor, kShape, kOffsets };

  bool root_key(const std::string& name);
  bool tensor_key(const std::string& name);
  bool end_tensor();
  [[noreturn]] void refuse(const std::string& why) const;
  [[noreturn]] void unexpected(const char* what) const;

  const std::string& origin_;
  SafetensorsHeader& header_;
  std::unordered_set<std::string> names_;  // keys of the root
  Place place_ = Place::kOutside;
  std::string name_;  // the root's key that is being read
  std::string key_;   // the key inside it
  std::optional<torch::ScalarType> dtype_;
  std::optional<std::vector<uint64_t>> shape_;
  std::optional<std::vector<uint64_t>> offsets_;
};

void HeaderEvents::refuse(const std::string& why) const {
  if (name_.empty() && place_ <= Place::kRoot) reject(origin_, why);
  reject(origin_, fmt::format("{} {}: {}", name_ == "__metadata__" ? "entry" : "tensor", shown(name_), why));
}

void HeaderEvents::unexpected(const char* what) const {
  if (place_ == Place::kRoot) refuse(fmt::format("{} where its description is expected", what));
  refuse(fmt::format("{} where the value of {} is expected", what, shown(key_)));
}

bool HeaderEvents::start_object(size_t) {
  if (place_ == Place::kOutside) {
    place_ = Place::kRoot;
  } else if (place_ == Place::kRoot) {
    place_ = name_ == "__metadata__" ? Place::kMetadata : Place::kTensor;
  } else {
    unexpected("an object");
  }
  return true;
}

bool HeaderEvents::key(std::string& name) {
  if (place_ == Place::kRoot) return root_key(name);
  if (place_ == Place::kTensor) return tensor_key(name);
  if (header_.metadata.contains(name)) refuse(fmt::format("key {} comes twice", shown(name)));
  key_ = name;
  return true;
}

bool HeaderEvents::root_key(const std::string& name) {
  name_ = name;
  if (!names_.insert(name).second) refuse("the name comes twice");
  if (names_.size() > kMaxTensors + 1) {  // one may be __metadata__
    reject(origin_, fmt::format("it has more than {} tensors", kMaxTensors));
  }
  return true;
}

bool HeaderEvents::tensor_key(const std::string& name) {
  const bool again =
      (name == "dtype" && dtype_) || (name == "shape" && shape_) || (name == "data_offsets" && offsets_);
  if (again) refuse(fmt::format("key {} comes twice", shown(name)));
  if (name != "dtype" && name != "shape" && name != "data_offsets") {
    refuse(fmt::format("unknown key {}; dtype, shape and data_offsets are allowed", shown(name)));
  }
  key_ = name;
  return true;
}

bool HeaderEvents::end_object() {
  if (place_ == Place::kTensor) end_tensor();
  place_ = place_ == Place::kRoot ? Place::kOutside : Place::kRoot;
  return true;
}

bool HeaderEvents::end_tensor() {
  if (!dtype_) refuse("dtype is missing");
  if (!shape_) refuse("shape is missing");
  if (!offsets_ || offsets_->size() != 2) refuse("data_offsets must be two numbers, begin and end");
  TensorInfo info;
  info.name = name_;
  info.dtype = *dtype_;
  for (const uint64_t size : *shape_) {
    if (size > static_cast<uint64_t>(INT64_MAX)) refuse(fmt::format("its shape is too large ({})", size));
    info.shape.push_back(static_cast<int64_t>(size));
  }
  info.begin = offsets_->front();
  info.end = offsets_->back();
  header_.tensors.push_back(std::move(info));
  dtype_.reset();
  shape_.reset();
  offsets_.reset();
  return true;
}

bool HeaderEvents::start_array(size_t) {
  if (place_ != Place::kTensor || key_ == "dtype") unexpected("a list");
  place_ = key_ == "shape" ? Place::kShape : Place::kOffsets;
  (place_ == Place::kShape ? shape_ : offsets_).emplace();
  return true;
}

bool HeaderEvents::end_array() {
  place_ = Place::kTensor;
  return true;
}

bool HeaderEvents::string(std::string& text) {
  if (place_ == Place::kMetadata) {
    header_.metadata.emplace(key_, std::move(text));
    return true;
  }
  if (place_ != Place::kTensor || key_ != "dtype") unexpected("a text");
  dtype_ = scalar_type_of(text);
  if (!dtype_)
    refuse(fmt::format("type {} is not supported; known are {}", shown(text), safetensors_type_names()));
  return true;
}

bool HeaderEvents::number_unsigned(uint64_t value) {
  if (place_ != Place::kShape && place_ != Place::kOffsets) unexpected("a number");
  std::vector<uint64_t>& numbers = *(place_ == Place::kShape ? shape_ : offsets_);
  if (numbers.size() == kMaxDimensions)
    refuse(fmt::format("{} has more than {} numbers", key_, kMaxDimensions));
  numbers.push_back(value);
  return true;
}

bool HeaderEvents::null() {
  // The reference implementation takes this for "no metadata".
  if (place_ != Place::kRoot || name_ != "__metadata__") unexpected("null");
  return true;
}

bool HeaderEvents::parse_error(size_t position, const std::string&, const nlohmann::json::exception& error) {
  // The library's own text may quote a token of any length, so only its kind is taken.
  const bool encoding = std::string_view(error.what()).find("UTF-8") != std::string_view::npos;
  reject(origin_, fmt::format("its header is not valid {} at byte {}; download the file again",
                              encoding ? "UTF-8" : "JSON", position));
}

// Bytes that `info` needs; empty where the number or torch's strides would not fit 63 bits.
std::optional<uint64_t> bytes_of(const TensorInfo& info) {
  int64_t bytes = static_cast<int64_t>(c10::elementSize(info.dtype));
  bool empty = false;
  for (const int64_t size : info.shape) {
    empty = empty || size == 0;
    // Strides are products of max(size, 1), so a size of 0 does not excuse the others.
    if (__builtin_mul_overflow(bytes, std::max<int64_t>(size, 1), &bytes)) return std::nullopt;
  }
  return empty ? 0 : static_cast<uint64_t>(bytes);
}

// The tensors, in order, cover the data section without hole or overlap.
void check_layout(const SafetensorsHeader& header, uint64_t file_size, const std::string& origin) {
  uint64_t position = 0;
  for (const TensorInfo& info : header.tensors) {
    const auto refuse = [&](const std::string& why) {
      reject(origin, fmt::format("tensor {}: {}", shown(info.name), why));
    };
    if (info.end < info.begin)
      refuse(fmt::format("it ends at {}, before it begins at {}", info.end, info.begin));
    if (info.begin != position) {
      refuse(fmt::format("its data begins at {}, but the tensor before it ends at {} ({})", info.begin,
                         position, info.begin < position ? "they overlap" : "a hole"));
    }
    const std::optional<uint64_t> bytes = bytes_of(info);
    if (!bytes) refuse("its shape is too large");
    if (info.end - info.begin != *bytes) {
      refuse(fmt::format("shape and type need {} bytes, but data_offsets give it {}", *bytes,
                         info.end - info.begin));
    }
    position = info.end;
  }
  const uint64_t present = file_size - header.data_begin;
  if (position > present) {
    throw_usage(
        fmt::format("'{}' is incomplete: {} of {} bytes of tensor data are there; download or copy it again",
                    origin, present, position));
  }
  if (position < present) {
    reject(origin, fmt::format("{} bytes follow after the last tensor; download or copy the file again",
                               present - position));
  }
}

uint64_t little_endian(std::string_view bytes) {
  uint64_t value = 0;
  for (size_t i = bytes.size(); i-- > 0;) value = value << 8 | static_cast<unsigned char>(bytes[i]);
  return value;
}

// The length of the JSON text, after what may be told from the first bytes and the file's size.
uint64_t checked_header_length(std::string_view head, uint64_t file_size, const std::string& origin) {
  if (file_size == 0) throw_usage(fmt::format("'{}' is empty; download or copy it again", origin));
  const uint64_t length = file_size < kLengthBytes ? 0 : little_endian(head.substr(0, kLengthBytes));
  const bool fits = file_size >= kLengthBytes && length <= file_size - kLengthBytes;
  if (length > kMaxHeaderBytes || !fits) {
    const std::string_view foreign = recognise_foreign_file(head);
    if (!foreign.empty()) throw_usage(fmt::format("'{}' is no safetensors file but {}", origin, foreign));
  }
  if (length > kMaxHeaderBytes) {
    reject(origin, fmt::format("its first 8 bytes announce a header of {} bytes, at most {} are allowed",
                               length, kMaxHeaderBytes));
  }
  if (!fits) {
    throw_usage(fmt::format(
        "'{}' is incomplete: its header needs {} bytes, the file has {}; download or copy it again", origin,
        kLengthBytes + length, file_size));
  }
  if (length == 0) {
    throw_usage(
        fmt::format("'{}' begins with zeros, as an unfinished download does; download it again", origin));
  }
  return length;
}

}  // namespace

SafetensorsHeader parse_safetensors_header(std::string_view head, uint64_t file_size,
                                           const std::string& origin) {
  LECO_ASSERT(head.size() >= std::min(file_size, kLengthBytes));
  const uint64_t length = checked_header_length(head, file_size, origin);
  LECO_ASSERT(head.size() >= kLengthBytes + length);
  const std::string_view json = head.substr(kLengthBytes, length);
  if (json.front() != '{') reject(origin, "its header does not begin with '{'; download the file again");

  // nlohmann's parser takes a zero byte for the end of its input and would not look at what follows.
  const size_t zero = json.find('\0');
  if (zero != std::string_view::npos) {
    reject(origin, fmt::format("its header is not valid JSON at byte {}; download the file again", zero + 1));
  }
  SafetensorsHeader header;
  header.data_begin = kLengthBytes + length;
  HeaderEvents events(origin, header);
  nlohmann::json::sax_parse(json.begin(), json.end(), &events);
  std::ranges::sort(header.tensors, {},
                    [](const TensorInfo& info) { return std::tie(info.begin, info.end, info.name); });
  check_layout(header, file_size, origin);
  return header;
}

}  // namespace leco
