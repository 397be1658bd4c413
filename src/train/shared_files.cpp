#include "train/shared_files.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <sstream>
#include <utility>

#include "comm/local_communicator.h"
#include "comm/text_message.h"
#include "core/error.h"

namespace leco {
namespace {

using torch::Tensor;

constexpr int kReader = 0;

// A table of contents: type, range, sizes and name of each tensor. A name may hold any character.
std::string text_of(const StateDict& weights) {
  std::string text;
  for (const std::string& name : weights.left()) {
    const TensorInfo& info = *weights.find(name);
    text += fmt::format("{} {} {} {} {} {} {}\n", static_cast<int>(info.dtype), info.begin, info.end,
                        info.shape.size(), fmt::join(info.shape, " "), name.size(), name);
  }
  return text;
}

std::vector<TensorInfo> tensors_from(const std::string& text) {
  std::vector<TensorInfo> tensors;
  std::istringstream in(text);
  for (int dtype = 0; in >> dtype;) {
    TensorInfo info;
    info.dtype = static_cast<torch::ScalarType>(dtype);
    size_t dimensions = 0, length = 0;
    in >> info.begin >> info.end >> dimensions;
    info.shape.resize(dimensions);
    for (int64_t& size : info.shape) in >> size;
    in >> length;
    in.get();  // the blank before the name
    info.name.resize(length);
    in.read(info.name.data(), static_cast<std::streamsize>(length));
    LECO_ASSERT(in);
    tensors.push_back(std::move(info));
  }
  return tensors;
}

class SharedFileSource final : public MovableFiles {
 public:
  explicit SharedFileSource(Communicator& comm) : comm_(&comm) {}

  void move_to(Communicator& comm) override { comm_ = &comm; }

  bool exists(const std::string& path) override {
    return share([&] { return std::string(local_.exists(path) ? "1" : "0"); }) == "1";
  }

  bool is_folder(const std::string& path) override {
    return share([&] { return std::string(local_.is_folder(path) ? "1" : "0"); }) == "1";
  }

  std::string read(const std::string& path) override {
    return share([&] { return local_.read(path); });
  }

  StateDict open_safetensors(const std::string& path) override {
    return share_weights(path, [&] { return local_.open_safetensors(path); });
  }

  StateDict open_weights(const std::string& path) override {
    return share_weights(path, [&] { return local_.open_weights(path); });
  }

  StateDict open_outline(const std::string& path) override {
    return outline_of(path, tensors_from(share([&] { return text_of(local_.open_outline(path)); })));
  }

  void read_alone(const std::function<void()>& work) override {
    LECO_ASSERT(comm_->rank() == kReader);
    const auto alone = make_local_communicator();
    struct Back {
      Communicator*& place;
      Communicator* before;
      ~Back() { place = before; }
    } const back{comm_, std::exchange(comm_, alone.get())};
    work();
  }

 private:
  // The reader opens the file; every rank gets its table of contents, and each tensor when it is taken.
  StateDict share_weights(const std::string& path, const std::function<StateDict()>& open) {
    std::shared_ptr<StateDict> local;  // null but on the reader
    const std::string text = share([&] {
      local = std::make_shared<StateDict>(open());
      return text_of(*local);
    });
    return {path, tensors_from(text), [this, local](const TensorInfo& info) {
              Tensor tensor = local ? local->take(info.name, info.shape) : at::empty(info.shape, info.dtype);
              comm_->broadcast(tensor, kReader);
              return tensor;
            }};
  }

  std::string share(const std::function<std::string()>& read) { return do_on_reader(*comm_, read); }

  Communicator* comm_;
  LocalFileSource local_;
};

}  // namespace

std::string do_on_reader(Communicator& comm, const std::function<std::string()>& work) {
  std::string message;  // 0, or the exit status of an error, and then the contents, or its text
  if (comm.rank() == kReader) {
    try {
      message = '\0' + work();
    } catch (const Error& error) {
      message = static_cast<char>(error.status()) + std::string(error.what());
    }
  }
  message = broadcast_text(comm, std::move(message), kReader);
  const auto status = static_cast<ExitStatus>(message.front());
  message.erase(0, 1);
  if (status != ExitStatus::kDone) throw Error(message, status);
  return message;
}

std::unique_ptr<FileSource> share_files(Communicator& comm) {
  if (comm.size() == 1) return std::make_unique<LocalFileSource>();
  return std::make_unique<SharedFileSource>(comm);
}

std::unique_ptr<MovableFiles> movable_files(Communicator& comm) {
  return std::make_unique<SharedFileSource>(comm);
}

ReadFile reader_of(FileSource& files) {
  return [&files](const std::string& path) { return files.read(path); };
}

}  // namespace leco
