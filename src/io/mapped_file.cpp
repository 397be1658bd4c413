#include "io/mapped_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "core/error.h"

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

size_t size_of_regular_file(int descriptor, const std::string& path, std::string_view expected) {
  struct stat status;
  if (fstat(descriptor, &status) != 0) cannot_read(path, errno);
  if (S_ISDIR(status.st_mode)) throw_usage(fmt::format("'{}' is a folder, {} is expected", path, expected));
  if (!S_ISREG(status.st_mode)) throw_usage(fmt::format("'{}' is not a regular file", path));
  return static_cast<size_t>(status.st_size);
}

}  // namespace

MappedFile::MappedFile(const std::string& path, std::string_view expected) {
  const Descriptor file(
      open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));  // a named pipe must not block
  if (file.number < 0) cannot_read(path, errno);
  size_ = size_of_regular_file(file.number, path, expected);
  if (size_ == 0) return;  // nothing cannot be mapped
  void* address = mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, file.number, 0);
  if (address == MAP_FAILED) cannot_read(path, errno);
  mapping_ = std::shared_ptr<void>(address, [size = size_](void* begin) { munmap(begin, size); });
}

torch::Tensor MappedFile::tensor(uint64_t begin, torch::ScalarType dtype,
                                 const std::vector<int64_t>& shape) const {
  const at::TensorOptions options(dtype);
  if (std::ranges::find(shape, 0) != shape.end()) return at::empty(shape, options);
  const uint64_t bytes = c10::multiply_integers(shape) * c10::elementSize(dtype);
  LECO_ASSERT(begin <= size_ && bytes <= size_ - begin);
  char* data = static_cast<char*>(mapping_.get()) + begin;
  if (dtype == torch::kBool) {
    return at::from_blob(data, shape, options.dtype(torch::kUInt8)).ne(0);
  }
  if (reinterpret_cast<uintptr_t>(data) % c10::elementSize(dtype) != 0) {
    const torch::Tensor copy = at::empty(shape, options);
    LECO_ASSERT(copy.nbytes() == bytes);
    std::memcpy(copy.mutable_data_ptr(), data, bytes);
    return copy;
  }
  const auto release = [mapping = mapping_, bytes](void* view) {
    give_back_pages(static_cast<char*>(view), bytes);
  };
  return at::from_blob(data, shape, release, options);
}

}  // namespace leco
