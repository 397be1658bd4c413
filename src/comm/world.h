// The life of MPI in this process, and the choice of back-end and device.
//
// Failure. A rank that fails calls host().abort(), which ends the job within seconds; so does an exception
// that leaves World's scope. A collective that does not return within LECO_TIMEOUT_SECONDS (default 600; the
// program may set another default, see watchdog.h) is named on stderr and ends the job with status 1. A rank
// that is killed is noticed by mpirun, and by srun with --kill-on-bad-exit=1.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "comm/communicator.h"

namespace leco {

// The MPI that joins the ranks.
struct MpiFacts {
  std::string library;       // "Open MPI v4.1.4"
  std::string thread_level;  // what it granted: "single", "funneled", "serialized", "multiple"
};

// What one rank wrote to another.
struct Letter {
  int from = 0;  // a rank of the job
  std::string text;
};

// Starts MPI when an MPI launcher started this process (mpirun, srun --mpi=…), else stands for a world of one
// without touching MPI. Ends MPI in the destructor. One at a time in a process, and one with MPI in its life.
// It asks for MPI_THREAD_MULTIPLE, since the watchdog must be able to abort while the main thread is inside
// MPI; where MPI grants less, the watchdog just ends its own process, and the launcher the others.
// Communicators must not outlive it. Throws a usage error when the launcher does not fit (several tasks of an
// srun without MPI plugin; an MPI that sees one process where the launcher started several) and when
// LECO_TIMEOUT_SECONDS is no number of seconds.
class World {
 public:
  World();
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  int rank() const;
  int size() const;
  int local_rank() const;  // among the ranks of this node
  int local_size() const;
  Communicator& host();  // all ranks, tensors in host memory: MPI, or local for a world of one

  std::optional<MpiFacts> mpi() const;  // none where no MPI launcher started this process

  // Whether `device` is a GPU that no other rank of this node uses. Collective.
  bool owns_gpu(torch::Device device);

  // A new group of all ranks for training on `device`: NCCL when every rank has a CUDA device of its own,
  // else MPI, which takes CUDA tensors through host memory (two ranks on one GPU). Collective, decided alike
  // on all ranks.
  std::unique_ptr<Communicator> communicator_for(torch::Device device);

  // Ranks of equal colour (>= 0) become a world of their own, in the order of their ranks here; a part keeps
  // its place on the node (local_rank, local_size). Collective. This world must outlive its parts, and its
  // host() is left alone until the parts are done.
  std::unique_ptr<World> split(int color);

  // For a part. Ranks of several parts, numbered as in the job, become one more world, in the order given;
  // the parts stay. Collective over these ranks alone. As with a part, this world's split() must outlive it.
  std::unique_ptr<World> join(const std::vector<int>& ranks_of_job) const;

  // For a part. A rank that fails says why; whatever the others of its part wait in, or enter, throws that as
  // PeerFailure, and no collective there can succeed any more. Then all ranks of the part call renew(), which
  // makes host() anew; communicators from before are of no more use, but may be destroyed while an exception
  // is under way.
  void give_up(std::string_view why);
  void renew();  // collective over the part

  // Tells all ranks of the job a number above 0, once; they hear it when they look, once rank 0 has looked.
  // This rank hears it at once. Neither is collective. In a job of one rank nothing is heard.
  void ring(int number);
  int heard();  // the first that came, also the own; 0: none

  // A text of up to some thousand bytes to one rank of the job, who
  // finds it when it looks; a longer one is sent while the other looks. Neither is collective.
  void send(int rank_of_job, std::string_view text);
  std::optional<Letter> receive();

  // Returns when all ranks of this world, which was split or is a part, have come here, however long that
  // takes; calls `meanwhile` many times a second.
  void wait_for_all(const std::function<void()>& meanwhile);

 private:
  struct Implementation;
  explicit World(std::unique_ptr<Implementation> implementation);
  std::unique_ptr<Implementation> implementation_;
};

// The device of a rank: "cuda" or "auto" with a visible GPU takes GPU local_rank mod visible GPUs, else the
// CPU. Throws a usage error for "cuda" without a GPU or in a build without CUDA, and for any word but auto,
// cpu, cuda.
torch::Device choose_device(const std::string& choice, int local_rank);

}  // namespace leco
