#include "io/torch_checkpoint_write.h"

#include <array>
#include <bit>
#include <limits>

#include "core/error.h"

namespace leco {
namespace {

static_assert(std::endian::native == std::endian::little, "storages are written as they lie in memory");

// ---- the zip: PKWARE's APPNOTE 6.3.10, sections 4.3.7, 4.3.12 and 4.3.16 -----------------------------

constexpr uint32_t kLocalHeader = 0x04034b50, kCentralHeader = 0x02014b50, kEndRecord = 0x06054b50;
constexpr uint16_t kVersion = 20, kStored = 0;
constexpr uint32_t kFirstOfJanuary1980 = 0x00210000;  // date, time: files of equal contents are equal
constexpr size_t kLocalHeaderBytes = 30;
constexpr size_t kAlignment = 64;  // torch's own, so that storages can be mapped

constexpr std::array<uint32_t, 256> kCrcTable = [] {
  std::array<uint32_t, 256> table{};
  for (uint32_t byte = 0; byte < table.size(); ++byte) {
    uint32_t remainder = byte;
    for (int bit = 0; bit < 8; ++bit)
      remainder = remainder & 1 ? 0xEDB88320u ^ (remainder >> 1) : remainder >> 1;
    table[byte] = remainder;
  }
  return table;
}();

// CRC-32 of ISO 3309, section 4.4.7 of the APPNOTE.
uint32_t crc32(std::string_view bytes) {
  uint32_t crc = ~0u;
  for (const char c : bytes) crc = kCrcTable[(crc ^ static_cast<unsigned char>(c)) & 0xFF] ^ (crc >> 8);
  return ~crc;
}

template <class Integer>
void append(std::string& bytes, Integer value) {
  bytes.append(reinterpret_cast<const char*>(&value), sizeof(value));
}

class ZipWriter {
 public:
  void add(const std::string& name, std::string_view contents) {
    const size_t begin = bytes_.size();
    check_size(begin + contents.size());
    const uint32_t checksum = crc32(contents), size = static_cast<uint32_t>(contents.size());
    const std::string padding = padding_field(begin + kLocalHeaderBytes + name.size());
    append(bytes_, kLocalHeader);
    append_common(bytes_, {checksum, size}, name.size(), padding.size());
    bytes_ += name;
    bytes_ += padding;
    bytes_ += contents;

    append(directory_, kCentralHeader);
    append(directory_, kVersion);  // made by
    append_common(directory_, {checksum, size}, name.size(), 0);
    append(directory_, uint16_t{0});  // comment
    append(directory_, uint16_t{0});  // disk
    append(directory_, uint16_t{0});  // internal attributes
    append(directory_, uint32_t{0});  // external attributes
    append(directory_, static_cast<uint32_t>(begin));
    directory_ += name;
    ++entries_;
  }

  std::string finish() && {
    LECO_ASSERT(entries_ < std::numeric_limits<uint16_t>::max());
    check_size(bytes_.size() + directory_.size());
    const auto begin = static_cast<uint32_t>(bytes_.size());
    bytes_ += directory_;
    append(bytes_, kEndRecord);
    append(bytes_, uint32_t{0});  // number of this disk and of the directory's
    append(bytes_, static_cast<uint16_t>(entries_));
    append(bytes_, static_cast<uint16_t>(entries_));
    append(bytes_, static_cast<uint32_t>(directory_.size()));
    append(bytes_, begin);
    append(bytes_, uint16_t{0});  // comment
    return std::move(bytes_);
  }

 private:
  struct Sum {
    uint32_t checksum, size;
  };
  // What local and central headers have in common.
  static void append_common(std::string& to, Sum sum, size_t name, size_t extra) {
    append(to, kVersion);
    append(to, uint16_t{0});  // flags
    append(to, kStored);
    append(to, kFirstOfJanuary1980);
    append(to, sum.checksum);
    append(to, sum.size);  // compressed
    append(to, sum.size);
    append(to, static_cast<uint16_t>(name));
    append(to, static_cast<uint16_t>(extra));
  }
  // An extra field that brings what follows `position` to a multiple of 64 bytes.
  static std::string padding_field(size_t position) {
    constexpr uint16_t kField = 0x4246;  // "FB", torch's own for this purpose
    const size_t zeros = (kAlignment - (position + 4) % kAlignment) % kAlignment;
    std::string field;
    append(field, kField);
    append(field, static_cast<uint16_t>(zeros));
    return field.append(zeros, '\0');
  }
  static void check_size(size_t bytes) {
    if (bytes >= std::numeric_limits<uint32_t>::max())
      throw_usage(
          "the LoRA is over 4 GiB, more than a .ckpt or .pt file of this form can hold; give "
          "--save_model_as=safetensors");
  }

  std::string bytes_, directory_;
  size_t entries_ = 0;
};

// ---- the pickle: protocol 2, opcodes of Lib/pickle.py ------------------------------------------------

std::string_view storage_of(torch::ScalarType dtype) {
  switch (dtype) {
    case torch::kFloat32:
      return "FloatStorage";
    case torch::kFloat16:
      return "HalfStorage";
    case torch::kBFloat16:
      return "BFloat16Storage";
    default:
      throw Error("a checkpoint's tensors are F32, F16 or BF16");
  }
}

class PickleWriter {
 public:
  PickleWriter() { bytes_ = "\x80\x02}("; }  // protocol 2, an empty dictionary, the mark before its entries

  // key: torch._utils._rebuild_tensor_v2((storage), 0, sizes, strides, False, OrderedDict())
  void add(const std::string& key, const torch::Tensor& tensor, size_t storage) {
    text(key);
    name("torch._utils", "_rebuild_tensor_v2");
    bytes_ += "((";
    text("storage");
    name("torch", storage_of(tensor.scalar_type()));
    text(std::to_string(storage));
    text("cpu");
    integer(tensor.numel());
    bytes_ += "tQ";  // the tuple names the storage
    integer(0);
    tuple(tensor.sizes());
    tuple(tensor.strides());
    bytes_ += '\x89';  // requires no gradient
    name("collections", "OrderedDict");
    bytes_ += ")RtR";  // called without arguments; and the tensor's function with all of these
  }

  std::string finish() && { return bytes_ + "u."; }

 private:
  void text(std::string_view value) {
    bytes_ += 'X';
    append(bytes_, static_cast<uint32_t>(value.size()));
    bytes_ += value;
  }
  void name(std::string_view module, std::string_view member) {
    bytes_ += 'c';
    bytes_.append(module).append("\n").append(member).append("\n");
  }
  void integer(int64_t value) {
    LECO_ASSERT(value >= 0 && value <= std::numeric_limits<int32_t>::max());
    bytes_ += 'J';
    append(bytes_, static_cast<int32_t>(value));
  }
  void tuple(torch::IntArrayRef values) {
    bytes_ += '(';
    for (const int64_t value : values) integer(value);
    bytes_ += 't';
  }

  std::string bytes_;
};

}  // namespace

std::string torch_checkpoint_bytes(const NamedTensors& tensors) {
  const std::string root = "archive/";  // torch takes any; the file's own name would show in its bytes
  PickleWriter pickle;
  std::vector<torch::Tensor> storages;
  for (const auto& [name, tensor] : tensors) {
    storages.push_back(tensor.detach().to(torch::kCPU).contiguous());
    pickle.add(name, storages.back(), storages.size() - 1);
  }
  ZipWriter zip;
  zip.add(root + "data.pkl", std::move(pickle).finish());
  zip.add(root + "byteorder", "little");
  for (size_t i = 0; i < storages.size(); ++i)
    zip.add(root + "data/" + std::to_string(i),
            {static_cast<const char*>(storages[i].data_ptr()), storages[i].nbytes()});
  zip.add(root + "version", "3\n");
  return std::move(zip).finish();
}

}  // namespace leco
