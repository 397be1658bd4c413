// The life of MPI in this process, and the choice of back-end and device.
#pragma once

#include <memory>
#include <string>

#include "comm/communicator.h"

namespace leco {

// Starts MPI when an MPI launcher started this process (mpirun, srun --mpi=…), else stands for a world of one without
// touching MPI. Ends MPI in the destructor. One per process.
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
  Communicator& host();    // all ranks, tensors in host memory: MPI, or local for a world of one

  // The group that training uses on `device`: NCCL when every rank has a CUDA device of its own, else the host
  // back-end, which stages CUDA tensors through host memory (two ranks on one GPU). Collective.
  std::unique_ptr<Communicator> communicator_for(torch::Device device);

 private:
  struct Implementation;
  std::unique_ptr<Implementation> implementation_;
};

// The device of a rank: "cuda" or "auto" with a visible GPU takes GPU local_rank mod visible GPUs, else the CPU.
// Throws a usage error for "cuda" without a GPU or in a build without CUDA.
torch::Device choose_device(const std::string& choice, int local_rank);

}  // namespace leco
