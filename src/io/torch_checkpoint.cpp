#include "io/torch_checkpoint.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>

#include "core/error.h"
#include "core/utf8.h"
#include "io/pickle.h"
#include "io/torch_names.h"
#include "io/zip_archive.h"

namespace leco {
namespace {

using Kind = PickleValue::Kind;

constexpr size_t kMaxTensors = 100'000;
constexpr size_t kMaxDimensions = 64;
constexpr int kMaxLevels = 8;              // of dictionaries in dictionaries
constexpr size_t kMaxVisited = 1'000'000;  // entries of dictionaries
constexpr size_t kMaxNameBytes = 1'024;
constexpr size_t kMaxAllNamesBytes = 64
                                     << 20;  // dictionaries that are shared make many long names of few bytes
constexpr std::string_view kPickleName = "/data.pkl";

// The storages and the pickle of an archive.
struct Contents {
  ZipEntry pickle;
  std::unordered_map<std::string, ZipEntry> storages;  // by key
};

[[noreturn]] void reject(const std::string& path, const std::string& what) {
  throw_usage(fmt::format("'{}' is no checkpoint that can be read: {}", path, what));
}

// All entries lie in one folder, whose name is free.
Contents find_contents(std::string_view file, const std::string& path) {
  const std::vector<ZipEntry> entries = zip_entries(file, path);
  Contents contents;
  std::string folder;
  for (const ZipEntry& entry : entries) {
    if (!entry.name.ends_with(kPickleName)) continue;
    if (!folder.empty()) reject(path, "it holds more than one data.pkl");
    folder = entry.name.substr(0, entry.name.size() - kPickleName.size() + 1);
    contents.pickle = entry;
  }
  if (folder.empty() || folder.find('/') + 1 != folder.size()) {
    reject(path, "a zip without the '<name>/data.pkl' that torch.save writes");
  }
  for (const ZipEntry& entry : entries) {
    if (!entry.name.starts_with(folder)) {
      reject(path, fmt::format("its entry '{}' lies outside of '{}'", entry.name, folder));
    }
    const std::string name = entry.name.substr(folder.size());
    if (name == "constants.pkl") {
      reject(path,
             "a TorchScript program (torch.jit.save); give a file of weights (torch.save of a state_dict)");
    }
    if (name == "byteorder" && file.substr(entry.begin, entry.size) != "little") {
      reject(path, "it was saved on a big-endian machine; save it again on a usual one");
    }
    if (name.starts_with("data/")) contents.storages.emplace(name.substr(5), entry);
  }
  return contents;
}

class CheckpointReader {
 public:
  CheckpointReader(const Pickle& pickle, const Contents& contents, const std::string& path)
      : pickle_(pickle), contents_(contents), path_(path) {}

  void read(std::map<std::string, StoredTensor>& tensors, std::vector<std::string>& ignored) {
    const PickleValue& root = pickle_.root();
    if (!is_dictionary(root))
      reject(path_, "its top level is no dictionary of tensors; save model.state_dict()");
    const PickleValue* weights = &root;
    for (size_t i = 0; i < root.items.size(); i += 2) {
      const PickleValue& value = pickle_.at(root.items[i + 1]);
      const PickleValue& key = pickle_.at(root.items[i]);
      if (key.kind == Kind::kText && key.text == "state_dict" && is_dictionary(value)) weights = &value;
    }
    if (weights != &root) {
      for (size_t i = 0; i < root.items.size(); i += 2) {
        if (&pickle_.at(root.items[i + 1]) != weights) ignored.push_back(key_text(root.items[i]));
      }
    }
    collect({weights, "", 0}, tensors, ignored);
    if (tensors.empty()) reject(path_, "it holds no tensors");
    std::ranges::sort(ignored);
  }

 private:
  struct Place {
    const PickleValue* dictionary;
    std::string prefix;
    int level;
  };

  const PickleValue& callee(const PickleValue& object) const { return pickle_.at(object.callee); }
  const std::vector<uint32_t>& arguments(const PickleValue& object) const {
    return pickle_.at(object.arguments).items;
  }

  bool is_dictionary(const PickleValue& value) const {
    if (value.kind == Kind::kDict) return true;
    return value.kind == Kind::kObject && callee(value).text == kOrderedDict && arguments(value).empty() &&
           value.items.size() % 2 == 0;
  }

  // Fit for a message and a list of names: one line, no tabs.
  std::string key_text(uint32_t number) const {
    const PickleValue& key = pickle_.at(number);
    if (key.kind == Kind::kInteger) return std::to_string(key.integer);
    if (key.kind == Kind::kGlobal) return std::string(key.text);
    const auto is_odd = [](unsigned char c) { return c < 0x20 || c == 0x7f; };
    if (key.kind != Kind::kText || key.text.empty() || key.text.size() > kMaxNameBytes ||
        std::ranges::any_of(key.text, is_odd) || !is_utf8(key.text)) {
      reject(path_, "a key of its dictionaries is no name (one line of UTF-8 text)");
    }
    return std::string(key.text);
  }

  void collect(const Place& place, std::map<std::string, StoredTensor>& tensors,
               std::vector<std::string>& ignored) {
    const std::vector<uint32_t>& items = place.dictionary->items;
    for (size_t i = 0; i < items.size(); i += 2) {
      if (++visited_ > kMaxVisited || tensors.size() > kMaxTensors) {
        reject(path_, fmt::format("more than {} tensors or {} entries", kMaxTensors, kMaxVisited));
      }
      const std::string name = place.prefix + key_text(items[i]);
      name_bytes_ += name.size();
      if (name_bytes_ > kMaxAllNamesBytes)
        reject(path_, fmt::format("names of more than {} bytes", kMaxAllNamesBytes));
      const PickleValue& value = pickle_.at(items[i + 1]);
      if (is_dictionary(value)) {
        if (place.level == kMaxLevels)
          reject(path_, fmt::format("dictionaries {} deep at '{}'", kMaxLevels, name));
        collect({&value, name + ".", place.level + 1}, tensors, ignored);
      } else if (const PickleValue* call = tensor_call(value)) {
        StoredTensor tensor = stored_tensor(*call, name);
        if (!tensors.emplace(name, std::move(tensor)).second) {
          reject(path_, fmt::format("tensor '{}' comes twice", name));
        }
      } else if (value.kind == Kind::kObject && callee(value).text.starts_with("torch._")) {
        reject_tensor(name, fmt::format("made by '{}' in a way that is not known", callee(value).text));
      } else {
        ignored.push_back(name);
      }
    }
  }

  // The call that describes the tensor's storage, inside what makes it a parameter; null where none is made.
  const PickleValue* tensor_call(const PickleValue& value) {
    const PickleValue* call = &value;
    // A parameter with attributes around a parameter around a tensor, at most.
    for (int level = 0; level < 3 && call->kind == Kind::kObject; ++level) {
      const std::string_view name = callee(*call).text;
      const std::vector<uint32_t>& given = arguments(*call);
      if (name == kRebuildTensor || name == kRebuildTypedTensor) return call;
      if ((name == kRebuildParameter || name == kRebuildParameterWithState) && !given.empty()) {
        call = &pickle_.at(given[0]);
      } else if (name == kRebuildFromType && given.size() == 4 && pickle_.at(given[2]).kind == Kind::kTuple) {
        inner_ = PickleValue{.kind = Kind::kObject, .callee = given[0], .arguments = given[2]};
        if (pickle_.at(given[0]).kind != Kind::kGlobal) return nullptr;
        call = &inner_;
      } else {
        return nullptr;
      }
    }
    return nullptr;
  }

  [[noreturn]] void reject_tensor(const std::string& name, const std::string& what) const {
    reject(path_, fmt::format("tensor '{}': {}", name, what));
  }

  // Arguments: storage, offset, sizes, strides, requires_grad, hooks, then the type where the storage has
  // none.
  StoredTensor stored_tensor(const PickleValue& call, const std::string& name) {
    const std::vector<uint32_t>& given = arguments(call);
    const bool has_type = callee(call).text == kRebuildTypedTensor;
    if (given.size() < (has_type ? 7 : 5)) reject_tensor(name, "an incomplete description");
    const Storage storage = find_storage(pickle_.at(given[0]), name);
    StoredTensor tensor;
    tensor.info.name = name;
    const size_t metadata = has_type ? 7 : 6;  // marks a view that shows other values than the storage holds
    if (given.size() > metadata && !pickle_.at(given[metadata]).items.empty()) {
      reject_tensor(name, "a conjugated, negated or otherwise marked view; save it again after .clone()");
    }
    const auto dtype = has_type ? type_of_dtype(pickle_.at(given[6]).text) : storage.dtype;
    if (!dtype || storage.dtype.has_value() == has_type)
      reject_tensor(name, "its type is missing or not known");
    tensor.info.dtype = *dtype;
    tensor.info.shape = sizes(given[2], name);
    tensor.strides = sizes(given[3], name);
    place(tensor, storage, size_of(pickle_.at(given[1]), name));
    return tensor;
  }

  struct Storage {
    const ZipEntry* entry;
    std::optional<torch::ScalarType> dtype;  // empty where each tensor says it
  };

  // ("storage", class, key, device, number of elements)
  Storage find_storage(const PickleValue& value, const std::string& name) {
    if (value.kind != Kind::kPersistent) reject_tensor(name, "its storage is none");
    const PickleValue& id = pickle_.at(value.arguments);
    if (id.kind != Kind::kTuple || id.items.size() != 5 || pickle_.at(id.items[0]).text != "storage") {
      reject_tensor(name, "its storage is described in an unknown way");
    }
    const PickleValue& type = pickle_.at(id.items[1]);
    const std::string key(pickle_.at(id.items[2]).text);
    const int64_t count = size_of(pickle_.at(id.items[4]), name);
    const auto dtype = storage_type_of(type.text);
    if (type.kind != Kind::kGlobal || (!dtype && type.text != kUntypedStorage)) {
      reject_tensor(name, "its storage has an unknown type");
    }
    const auto found = contents_.storages.find(key);
    if (found == contents_.storages.end()) reject_tensor(name, "its storage is not in the file");
    const ZipEntry& entry = found->second;
    const uint64_t element = dtype ? c10::elementSize(*dtype) : 1;
    if (entry.size % element != 0 || entry.size / element != static_cast<uint64_t>(count)) {
      reject_tensor(
          name, fmt::format("its storage should have {} elements of {} bytes, and '{}' has {} bytes", count,
                            element, entry.name, entry.size));
    }
    // Two types for one storage would let two readers see different weights.
    if (types_.emplace(&entry, dtype).first->second != dtype) {
      reject_tensor(name, "its storage is described with two types");
    }
    return {&entry, dtype};
  }

  int64_t size_of(const PickleValue& value, const std::string& name) const {
    if (value.kind != Kind::kInteger || value.integer < 0) {
      reject_tensor(name, "a size, stride or offset is no number from 0");
    }
    return value.integer;
  }

  std::vector<int64_t> sizes(uint32_t number, const std::string& name) const {
    const PickleValue& tuple = pickle_.at(number);
    if (tuple.kind != Kind::kTuple || tuple.items.size() > kMaxDimensions) {
      reject_tensor(name, fmt::format("its shape or its strides are no tuple of at most {}", kMaxDimensions));
    }
    std::vector<int64_t> result;
    for (const uint32_t each : tuple.items) result.push_back(size_of(pickle_.at(each), name));
    return result;
  }

  // Fills in the range, once it is known to lie inside the storage. Counted in elements.
  void place(StoredTensor& tensor, const Storage& storage, int64_t offset) const {
    TensorInfo& info = tensor.info;
    const auto element = static_cast<int64_t>(c10::elementSize(info.dtype));
    const auto available = static_cast<int64_t>(storage.entry->size) / element;
    if (tensor.strides.size() != info.shape.size()) reject_tensor(info.name, "not as many strides as sizes");
    int64_t count = 1, last = offset;
    bool fits = offset <= available;
    for (size_t i = 0; i < info.shape.size(); ++i) {
      int64_t reach = 0;
      fits = fits && !__builtin_mul_overflow(count, info.shape[i], &count);
      fits =
          fits && !__builtin_mul_overflow(std::max<int64_t>(info.shape[i] - 1, 0), tensor.strides[i], &reach);
      fits = fits && !__builtin_add_overflow(last, reach, &last);
    }
    // Without elements nothing is touched, whatever the strides reach to.
    if (fits && count == 0) {
      info.begin = info.end = storage.entry->begin;
      return;
    }
    if (!fits || last >= available) {
      reject_tensor(info.name, fmt::format("it reaches outside of its storage of {} elements", available));
    }
    if (count > available) {
      reject_tensor(info.name,
                    fmt::format("{} elements in a storage of {} (an expanded tensor); save it again "
                                "after .contiguous()",
                                count, available));
    }
    info.begin = storage.entry->begin + offset * element;
    info.end = storage.entry->begin + (last + 1) * element;
  }

  const Pickle& pickle_;
  const Contents& contents_;
  const std::string& path_;
  size_t visited_ = 0;
  size_t name_bytes_ = 0;
  PickleValue inner_;  // the call inside the last _rebuild_from_type_v2
  std::unordered_map<const ZipEntry*, std::optional<torch::ScalarType>> types_;
};

bool is_contiguous(const StoredTensor& tensor) {
  int64_t expected = 1;
  for (size_t i = tensor.info.shape.size(); i-- > 0;) {
    if (tensor.info.shape[i] != 1 && tensor.strides[i] != expected) return false;
    expected *= tensor.info.shape[i];
  }
  return true;
}

}  // namespace

TorchCheckpoint::TorchCheckpoint(const std::string& path) : file_(path, "a checkpoint") {
  const std::string_view file = file_.bytes();
  if (weight_format(file) == WeightFormat::kOldTorch) reject_old_torch_file(path);
  const Contents contents = find_contents(file, path);
  const Pickle pickle(file.substr(contents.pickle.begin, contents.pickle.size), path,
                      is_known_checkpoint_name);
  CheckpointReader(pickle, contents, path).read(tensors_, ignored_);
}

std::vector<TensorInfo> TorchCheckpoint::tensors() const {
  std::vector<TensorInfo> infos;
  for (const auto& [name, tensor] : tensors_) infos.push_back(tensor.info);
  return infos;
}

torch::Tensor TorchCheckpoint::tensor(const TensorInfo& info) const {
  const StoredTensor& stored = tensors_.at(info.name);
  const auto bytes = static_cast<int64_t>(stored.info.end - stored.info.begin);
  if (bytes == 0 || is_contiguous(stored)) {
    return file_.tensor(stored.info.begin, stored.info.dtype, stored.info.shape);
  }
  const int64_t elements = bytes / static_cast<int64_t>(c10::elementSize(stored.info.dtype));
  const torch::Tensor row = file_.tensor(stored.info.begin, stored.info.dtype, {elements});
  return row.as_strided(stored.info.shape, stored.strides).contiguous();
}

WeightFormat weight_format(std::string_view head) {
  // A safetensors file begins with the length of its JSON text, which may look like anything; then comes '{'.
  if (head.size() > 8 && head[8] == '{') return WeightFormat::kSafetensors;
  if (head.starts_with("PK\x03\x04")) return WeightFormat::kTorchZip;
  constexpr size_t kTarMagic = 257;
  const bool is_tar = head.size() > kTarMagic && head.substr(kTarMagic).starts_with("ustar");
  const bool is_pickle = head.size() > 1 && head[0] == '\x80' && head[1] >= 2 && head[1] <= 5;
  return is_tar || is_pickle ? WeightFormat::kOldTorch : WeightFormat::kSafetensors;
}

void reject_old_torch_file(const std::string& path) {
  throw_usage(
      fmt::format("'{}' is a checkpoint in the form that torch wrote before 1.6 (a bare pickle or a tar), "
                  "which is not read; where you trust it, load it in Python and save it again with torch "
                  "1.6 or newer, or convert it to safetensors",
                  path));
}

}  // namespace leco
