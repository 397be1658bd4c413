// Zips and pickles put together by hand, so that tests can put them together wrongly.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace leco::parts {

inline std::string little_endian(uint64_t value, int bytes) {
  std::string result;
  for (int i = 0; i < bytes; ++i) result += static_cast<char>(value >> 8 * i & 0xff);
  return result;
}

// An entry of a zip; what is set contradicts the contents on purpose.
struct ZipPart {
  std::string name;
  std::string contents = {};
  uint16_t method = 0;
  uint16_t flags = 0;
  std::optional<uint32_t> size = {};    // in the central directory
  std::optional<uint32_t> packed = {};  // in the central directory
  std::optional<uint32_t> header = {};  // where the central directory sees its local header
  std::optional<std::string> local_name = {};
};

inline std::string zip_of(const std::vector<ZipPart>& entries) {
  std::string file, directory;
  for (const ZipPart& part : entries) {
    const auto size = static_cast<uint32_t>(part.contents.size());
    const std::string local_name = part.local_name.value_or(part.name);
    const uint32_t header = part.header.value_or(static_cast<uint32_t>(file.size()));
    const std::string kind =
        little_endian(part.flags, 2) + little_endian(part.method, 2) + std::string(8, '\0');
    file += "PK\x03\x04" + little_endian(20, 2) + kind + little_endian(size, 4) + little_endian(size, 4) +
            little_endian(local_name.size(), 2) + little_endian(0, 2) + local_name + part.contents;
    directory += "PK\x01\x02" + little_endian(20, 2) + little_endian(20, 2) + kind +
                 little_endian(part.packed.value_or(size), 4) + little_endian(part.size.value_or(size), 4) +
                 little_endian(part.name.size(), 2) + std::string(12, '\0') + little_endian(header, 4) +
                 part.name;
  }
  const std::string count = little_endian(entries.size(), 2);
  return file + directory + "PK\x05\x06" + std::string(4, '\0') + count + count +
         little_endian(directory.size(), 4) + little_endian(file.size(), 4) + std::string(2, '\0');
}

const std::string kProtocol = "\x80\x02";

inline std::string global(const std::string& module, const std::string& name) {
  return "c" + module + "\n" + name + "\n";
}

inline std::string text(const std::string& contents) {
  return "X" + little_endian(contents.size(), 4) + contents;
}

inline std::string number(int64_t value) {
  const bool is_short = value >= INT32_MIN && value <= INT32_MAX;
  const auto bits = static_cast<uint64_t>(value);
  return is_short ? "J" + little_endian(bits, 4) : "\x8a\x08" + little_endian(bits, 8);
}

inline std::string tuple(const std::vector<std::string>& items) {
  std::string result = "(";
  for (const std::string& item : items) result += item;
  return result + "t";
}

inline std::string numbers(const std::vector<int64_t>& values) {
  std::vector<std::string> items;
  for (const int64_t value : values) items.push_back(number(value));
  return tuple(items);
}

inline std::string call(const std::string& callee, const std::vector<std::string>& arguments) {
  return callee + tuple(arguments) + "R";
}

inline std::string dict(const std::vector<std::pair<std::string, std::string>>& entries) {
  std::string result = "}(";
  for (const auto& [key, value] : entries) result += text(key) + value;
  return result + "u";
}

struct TensorPart {
  std::vector<int64_t> shape = {2, 3};
  std::vector<int64_t> strides = {3, 1};
  int64_t offset = 0;
  int64_t elements = 6;  // of the storage
  std::string type = "FloatStorage";
  std::string key = "0";
};

inline std::string storage(const TensorPart& part) {
  return tuple({text("storage"), global("torch", part.type), text(part.key), text("cpu"),
                number(part.elements)}) +
         "Q";
}

inline std::string tensor(const TensorPart& part) {
  return call(global("torch._utils", "_rebuild_tensor_v2"),
              {storage(part), number(part.offset), numbers(part.shape), numbers(part.strides), "\x89",
               call(global("collections", "OrderedDict"), {})});
}

// A file as torch.save writes it, around `value` as the pickle's root, with one storage "0" of 24 bytes.
inline std::string checkpoint(const std::string& value,
                              const std::string& storage_bytes = std::string(24, 'x')) {
  return zip_of({{"archive/data.pkl", kProtocol + value + "."},
                 {"archive/byteorder", "little"},
                 {"archive/data/0", storage_bytes},
                 {"archive/version", "3\n"}});
}

}  // namespace leco::parts
