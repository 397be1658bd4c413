// Private: a point that all ranks of a group reach together, unless one of them gives up. MPI's own
// collectives wait for a rank that does not come; this one hears why it does not. Whoever has met may enter a
// collective, since the others are about to do so too.
#pragma once

#include <mpi.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "comm/communicator.h"

namespace leco {

class Meeting {
 public:
  explicit Meeting(const std::vector<int>& ranks_of_job);  // collective over these ranks
  ~Meeting();                                              // the same, unless somebody gave up
  Meeting(const Meeting&) = delete;
  Meeting& operator=(const Meeting&) = delete;

  // Returns when all ranks are here; throws PeerFailure when one gave up. Meanwhile calls `meanwhile` now and
  // then. Without one, the wait counts for the watchdog.
  void arrive(const std::string& operation, const std::function<void()>& meanwhile = nullptr);

  // Lets the others' arrive() throw. From then on nobody can meet here. Throws only on errors of MPI.
  void give_up(std::string_view why);

 private:
  void wait(MPI_Request& request, const std::function<void()>& meanwhile);
  void hear();
  void leave_if_in_vain();

  // Somebody gave up after this many meetings, and takes part in those, and in what follows them.
  struct Failure {
    int64_t meetings;
    std::string why;
  };
  MPI_Comm group_ = MPI_COMM_NULL;
  int rank_ = 0, size_ = 1;
  int64_t meetings_ = 0;  // that this rank has come to
  std::optional<Failure> failure_;
  bool is_broken_ = false;
};

// The same communicator with a meeting before each of its operations.
std::unique_ptr<Communicator> with_meetings(std::unique_ptr<Communicator> inner,
                                            std::shared_ptr<Meeting> meeting);

}  // namespace leco
