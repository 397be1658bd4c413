// Private: MPI from init to finalize, and what it knows of this node.
#pragma once

#include <string>

#include "comm/mpi_error.h"

namespace leco {

class MpiSession {
 public:
  explicit MpiSession(int tasks_of_launcher);  // for the check that MPI sees the same processes
  ~MpiSession();
  MpiSession(const MpiSession&) = delete;
  MpiSession& operator=(const MpiSession&) = delete;

  int size() const { return size_; }
  int local_rank() const { return local_rank_; }
  int local_size() const { return local_size_; }

  static std::string library_name();  // "Open MPI v4.1.4"
  static std::string thread_level();  // what MPI granted, in MPI's word

  int node() const { return first_of_node_; }  // the job's rank that is this node's first: tells nodes apart

 private:
  [[noreturn]] static void refuse_launcher(int tasks);
  void join() const;
  void find_node();

  int exceptions_at_start_;
  MPI_Comm node_ = MPI_COMM_NULL;
  int size_ = 1;
  int local_rank_ = 0;
  int local_size_ = 1;
  int first_of_node_ = 0;
};

}  // namespace leco
