// To be preloaded into a program: rank 0 takes longer to end than the launcher gives it once another rank has
// ended with a status that is not 0.
#include <unistd.h>

#include <cstdlib>
#include <cstring>

namespace {

struct SlowEnd {
  ~SlowEnd() {
    constexpr unsigned kSeconds = 10;  // mpirun's grace is two
    const char* rank = std::getenv("OMPI_COMM_WORLD_RANK");
    if (rank != nullptr && std::strcmp(rank, "0") == 0) sleep(kSeconds);
  }
};

const SlowEnd at_the_end;

}  // namespace
