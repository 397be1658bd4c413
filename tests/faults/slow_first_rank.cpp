// To be preloaded into a program: rank 0 takes seconds to write an error, as on a terminal that has been
// stopped, and longer to end than the launcher gives it once another rank has ended with a status but 0.
#include <dlfcn.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>

namespace {

bool is_first_rank() {
  const char* rank = std::getenv("OMPI_COMM_WORLD_RANK");
  return rank != nullptr && std::strcmp(rank, "0") == 0;
}

using Function = size_t (*)(const void*, size_t, size_t, FILE*);

struct SlowEnd {
  ~SlowEnd() {
    constexpr unsigned kSeconds = 10;  // mpirun's grace is two
    if (is_first_rank()) sleep(kSeconds);
  }
};

const SlowEnd at_the_end;

}  // namespace

extern "C" size_t fwrite(const void* data, size_t size, size_t count, FILE* file) {
  static const auto original = reinterpret_cast<Function>(dlsym(RTLD_NEXT, "fwrite"));
  const std::string_view text(static_cast<const char*>(data), size * count);
  constexpr unsigned kSeconds = 4;
  if (file == stderr && text.find("error: ") != text.npos && is_first_rank()) sleep(kSeconds);
  return original(data, size, count, file);
}
