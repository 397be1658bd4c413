#include "train/shared_files.h"

#include <cstring>

#include "core/error.h"
#include "io/safetensors.h"

namespace leco {
namespace {

using torch::Tensor;

constexpr int kReader = 0;

class SharedFileSource final : public FileSource {
 public:
  explicit SharedFileSource(Communicator& comm) : comm_(comm) {}

  bool exists(const std::string& path) override {
    return share([&] { return std::string(local_.exists(path) ? "1" : "0"); }) == "1";
  }

  std::string read(const std::string& path) override {
    return share([&] { return local_.read(path); });
  }

  StateDict open_safetensors(const std::string& path) override {
    std::shared_ptr<SafetensorsFile> file;  // null but on the reader
    const auto tensors = share_header(path, file);
    return {path, tensors, [this, file](const TensorInfo& info) {
              Tensor tensor = file ? file->tensor(info) : at::empty(info.shape, info.dtype);
              comm_.broadcast(tensor, kReader);
              return tensor;
            }};
  }

  StateDict open_outline(const std::string& path) override {
    std::shared_ptr<SafetensorsFile> file;
    return outline_of(path, share_header(path, file));
  }

 private:
  // Opens the file on the reader; every rank parses the same header.
  std::vector<TensorInfo> share_header(const std::string& path, std::shared_ptr<SafetensorsFile>& file) {
    const std::string head = share([&] {
      file = std::make_shared<SafetensorsFile>(path);
      return std::string(file->head());
    });
    const std::string size = share([&] { return std::to_string(file->size()); });
    return parse_safetensors_header(head, std::stoull(size), path).tensors;
  }

  std::string share(const std::function<std::string()>& read) { return do_on_reader(comm_, read); }

  Communicator& comm_;
  LocalFileSource local_;
};

}  // namespace

std::string do_on_reader(Communicator& comm, const std::function<std::string()>& work) {
  std::string contents;
  int64_t status = 0;  // 0, or the exit status of the error whose text `contents` is
  if (comm.rank() == kReader) {
    try {
      contents = work();
    } catch (const Error& error) {
      contents = error.what();
      status = static_cast<int64_t>(error.status());
    }
  }
  Tensor sizes = at::tensor({status, static_cast<int64_t>(contents.size())}, torch::kInt64);
  comm.broadcast(sizes, kReader);
  Tensor bytes = at::empty({sizes[1].item<int64_t>()}, torch::kUInt8);
  if (comm.rank() == kReader) std::memcpy(bytes.data_ptr(), contents.data(), contents.size());
  comm.broadcast(bytes, kReader);
  contents.assign(static_cast<const char*>(bytes.data_ptr()), bytes.numel());
  if (const auto failed = sizes[0].item<int64_t>()) throw Error(contents, static_cast<ExitStatus>(failed));
  return contents;
}

std::unique_ptr<FileSource> share_files(Communicator& comm) {
  if (comm.size() == 1) return std::make_unique<LocalFileSource>();
  return std::make_unique<SharedFileSource>(comm);
}

ReadFile reader_of(FileSource& files) {
  return [&files](const std::string& path) { return files.read(path); };
}

}  // namespace leco
