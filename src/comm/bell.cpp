#include "comm/bell.h"

#include "comm/mpi_error.h"

namespace leco {
namespace {

constexpr int kTag = 1;

}  // namespace

Bell::Bell() {
  LECO_MPI(MPI_Comm_dup(MPI_COMM_WORLD, &all_));
  LECO_MPI(MPI_Comm_rank(all_, &rank_));
  LECO_MPI(MPI_Comm_size(all_, &size_));
}

// Not freed: a bell that nobody heard is still under way.
Bell::~Bell() = default;

void Bell::ring(int number) {
  if (has_rung_) return;
  has_rung_ = true;
  if (heard_ == 0) heard_ = number;
  for (int other = 0; other < size_; ++other)
    if (other != rank_)
      LECO_MPI(MPI_Send(&number, 1, MPI_INT, other, kTag, all_));  // taken at once: four bytes
}

int Bell::heard() {
  int is_waiting = 0;
  if (heard_ == 0) LECO_MPI(MPI_Iprobe(MPI_ANY_SOURCE, kTag, all_, &is_waiting, MPI_STATUS_IGNORE));
  if (is_waiting != 0) LECO_MPI(MPI_Recv(&heard_, 1, MPI_INT, MPI_ANY_SOURCE, kTag, all_, MPI_STATUS_IGNORE));
  return heard_;
}

}  // namespace leco
