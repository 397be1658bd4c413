// Private: a number that any rank sends to all others, who look for it when it suits them: a signal that came
// to one of the ranks of many groups.
#pragma once

#include <mpi.h>

namespace leco {

class Bell {
 public:
  Bell();  // of all ranks; collective
  ~Bell();
  Bell(const Bell&) = delete;
  Bell& operator=(const Bell&) = delete;

  void ring(int number);  // above 0; the first time only
  int heard();            // the first that came, also the own; 0: none. Cheap enough for every step.

 private:
  MPI_Comm all_ = MPI_COMM_NULL;
  int rank_ = 0, size_ = 1;
  int heard_ = 0;
  bool has_rung_ = false;
};

}  // namespace leco
