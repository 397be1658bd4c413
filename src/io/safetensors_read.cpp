#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "core/error.h"
#include "io/safetensors.h"

namespace leco {
namespace {

[[noreturn]] void cannot_read(const std::string& path, int error) {
  throw_usage(fmt::format("cannot read '{}': {}", path, std::strerror(error)));
}

struct Descriptor {
  explicit Descriptor(int opened) : number(opened) {}
  ~Descriptor() {
    if (number >= 0) close(number);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int number;
};

// The pages of a view that nobody reads any more need not count as this process's memory while the file stays
// mapped; the next reader gets them from the file again. What lies beside the view on its first and last page
// loses nothing either.
void give_back_pages(char* data, size_t bytes) {
  const auto before = reinterpret_cast<uintptr_t>(data) % static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  madvise(data - before, bytes + before, MADV_DONTNEED);
}

size_t size_of_regular_file(int descriptor, const std::string& path) {
  struct stat status;
  if (fstat(descriptor, &status) != 0) cannot_read(path, errno);
  if (S_ISDIR(status.st_mode))
    throw_usage(fmt::format("'{}' is a folder, a safetensors file is expected", path));
  if (!S_ISREG(status.st_mode)) throw_usage(fmt::format("'{}' is not a regular file", path));
  return static_cast<size_t>(status.st_size);
}

}  // namespace

SafetensorsFile::SafetensorsFile(const std::string& path) {
  const Descriptor file(
      open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));  // a named pipe must not block
  if (file.number < 0) cannot_read(path, errno);
  size_ = size_of_regular_file(file.number, path);
  if (size_ > 0) {  // nothing cannot be mapped; the parser says that it is empty
    void* address = mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, file.number, 0);
    if (address == MAP_FAILED) cannot_read(path, errno);
    mapping_ = std::shared_ptr<void>(address, [size = size_](void* begin) { munmap(begin, size); });
  }
  header_ = parse_safetensors_header({static_cast<const char*>(mapping_.get()), size_}, size_, path);
}

torch::Tensor SafetensorsFile::tensor(const TensorInfo& info) const {
  LECO_ASSERT(info.begin <= info.end && info.end <= size_ - header_.data_begin);
  const at::TensorOptions options(info.dtype);
  if (info.begin == info.end) return at::empty(info.shape, options);
  char* data = static_cast<char*>(mapping_.get()) + header_.data_begin + info.begin;
  if (info.dtype == torch::kBool) {
    return at::from_blob(data, info.shape, options.dtype(torch::kUInt8)).ne(0);
  }
  if (reinterpret_cast<uintptr_t>(data) % c10::elementSize(info.dtype) != 0) {
    const torch::Tensor copy = at::empty(info.shape, options);
    LECO_ASSERT(copy.nbytes() == info.end - info.begin);
    std::memcpy(copy.mutable_data_ptr(), data, copy.nbytes());
    return copy;
  }
  const auto release = [mapping = mapping_, bytes = info.end - info.begin](void* view) {
    give_back_pages(static_cast<char*>(view), bytes);
  };
  return at::from_blob(data, info.shape, release, options);
}

std::string_view SafetensorsFile::data() const {
  return {static_cast<const char*>(mapping_.get()) + header_.data_begin, size_ - header_.data_begin};
}

std::string_view SafetensorsFile::head() const {
  return {static_cast<const char*>(mapping_.get()), header_.data_begin};
}

}  // namespace leco
