// Private: what one rank tells others outside all collectives, and they look for when it suits them: a letter
// to one of them, or a bell to all, which says that a signal came to one of the ranks of many groups.
#pragma once

#include <mpi.h>

#include <optional>
#include <string_view>

#include "comm/world.h"

namespace leco {

class Post {
 public:
  Post();  // of all ranks; collective
  ~Post();
  Post(const Post&) = delete;
  Post& operator=(const Post&) = delete;

  void send(int rank, std::string_view text);
  std::optional<Letter> receive();  // from anybody; letters of one sender come in their order

  // A bell goes by way of rank 0, since a signal may come to all ranks at once, and each of them would tell
  // each other.
  void ring(int number);  // above 0; the first time only
  int heard();            // the first that came, also the own; 0: none. Cheap enough for every step.

 private:
  void ring_at(int rank, int number);
  void ring_at_all(int number);

  MPI_Comm all_ = MPI_COMM_NULL;
  int rank_ = 0, size_ = 1;
  int heard_ = 0;
  bool has_rung_ = false;
};

}  // namespace leco
