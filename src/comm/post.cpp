#include "comm/post.h"

#include <string>

#include "comm/mpi_error.h"
#include "comm/watchdog.h"

namespace leco {
namespace {

constexpr int kBell = 1, kLetter = 2;  // tags

}  // namespace

Post::Post() {
  const Watch watch("opening of the post between the ranks");
  LECO_MPI(MPI_Comm_dup(MPI_COMM_WORLD, &all_));
  LECO_MPI(MPI_Comm_rank(all_, &rank_));
  LECO_MPI(MPI_Comm_size(all_, &size_));
}

// Not freed: a bell that nobody heard is still under way.
Post::~Post() = default;

void Post::send(int rank, std::string_view text) {
  LECO_MPI(MPI_Send(text.data(), static_cast<int>(text.size()), MPI_CHAR, rank, kLetter, all_));
}

std::optional<Letter> Post::receive() {
  int is_waiting = 0;
  MPI_Status status;
  LECO_MPI(MPI_Iprobe(MPI_ANY_SOURCE, kLetter, all_, &is_waiting, &status));
  if (is_waiting == 0) return std::nullopt;
  int bytes = 0;
  LECO_MPI(MPI_Get_count(&status, MPI_CHAR, &bytes));
  Letter letter{.from = status.MPI_SOURCE, .text = std::string(static_cast<size_t>(bytes), '\0')};
  LECO_MPI(MPI_Recv(letter.text.data(), bytes, MPI_CHAR, letter.from, kLetter, all_, MPI_STATUS_IGNORE));
  return letter;
}

void Post::ring(int number) {
  if (has_rung_) return;
  has_rung_ = true;
  if (heard_ == 0) heard_ = number;
  if (rank_ == 0)
    ring_at_all(number);
  else
    ring_at(0, number);
}

void Post::ring_at(int rank, int number) {
  LECO_MPI(MPI_Send(&number, 1, MPI_INT, rank, kBell, all_));  // taken at once: four bytes
}

void Post::ring_at_all(int number) {
  for (int other = 1; other < size_; ++other) ring_at(other, number);
}

int Post::heard() {
  int is_waiting = 0;
  if (heard_ == 0) LECO_MPI(MPI_Iprobe(MPI_ANY_SOURCE, kBell, all_, &is_waiting, MPI_STATUS_IGNORE));
  if (is_waiting != 0)
    LECO_MPI(MPI_Recv(&heard_, 1, MPI_INT, MPI_ANY_SOURCE, kBell, all_, MPI_STATUS_IGNORE));
  if (is_waiting != 0 && rank_ == 0) ring(heard_);  // passes it on, once
  return heard_;
}

}  // namespace leco
