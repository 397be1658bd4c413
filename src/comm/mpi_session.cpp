#include "comm/mpi_session.h"

#include <fmt/format.h>

#include <cstdlib>
#include <exception>
#include <string>
#include <thread>

#include "comm/job.h"
#include "comm/watchdog.h"
#include "core/error.h"
#include "core/log.h"

namespace leco {
namespace {

std::thread::id mpi_thread;
bool any_thread_may_call = false;

// Another thread must not enter an MPI that did not grant it. Dying is enough there: the launcher ends the
// others.
void kill_through_mpi(int status) {
  if (any_thread_may_call || std::this_thread::get_id() == mpi_thread) MPI_Abort(MPI_COMM_WORLD, status);
  std::_Exit(status);
}

}  // namespace

MpiSession::MpiSession(int tasks_of_launcher) : exceptions_at_start_(std::uncaught_exceptions()) {
  int provided = MPI_THREAD_SINGLE;
  LECO_MPI(MPI_Init_thread(nullptr, nullptr, MPI_THREAD_MULTIPLE, &provided));
  mpi_thread = std::this_thread::get_id();
  any_thread_may_call = provided == MPI_THREAD_MULTIPLE;
  LECO_MPI(MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN));
  LECO_MPI(MPI_Comm_size(MPI_COMM_WORLD, &size_));
  if (size_ < tasks_of_launcher && size_ == 1) refuse_launcher(tasks_of_launcher);
  join();
  find_node();
}

void MpiSession::refuse_launcher(int tasks) {
  LECO_MPI(MPI_Finalize());  // here, since no destructor runs for an object whose constructor throws
  throw_usage(
      fmt::format("the launcher started {} processes, but this program's MPI ({}) sees only itself; use the "
                  "mpirun of that MPI, or: srun --mpi=pmix …",
                  tasks, library_name()));
}

void MpiSession::join() const {
  int rank = 0;
  LECO_MPI(MPI_Comm_rank(MPI_COMM_WORLD, &rank));
  join_job(rank, size_, kill_through_mpi);
}

void MpiSession::find_node() {
  const Watch watch("grouping of the ranks by node");
  LECO_MPI(MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, job_rank(), MPI_INFO_NULL, &node_));
  LECO_MPI(MPI_Comm_rank(node_, &local_rank_));
  LECO_MPI(MPI_Comm_size(node_, &local_size_));
  first_of_node_ = job_rank();
  LECO_MPI(MPI_Bcast(&first_of_node_, 1, MPI_INT, 0, node_));
}

MpiSession::~MpiSession() {
  // Finalize waits for all ranks; those that wait elsewhere for this one would never come.
  if (std::uncaught_exceptions() > exceptions_at_start_ && size_ > 1) {
    end_job("an exception left the scope of the MPI world", static_cast<int>(ExitStatus::kFailure));
  }
  try {
    const Watch watch("end of MPI");
    LECO_MPI(MPI_Comm_free(&node_));
    LECO_MPI(MPI_Finalize());
  } catch (const std::exception& error) {
    log::error(error.what());
  }
  leave_job();
}

// What the library calls itself, up to the first comma.
std::string MpiSession::library_name() {
  char text[MPI_MAX_LIBRARY_VERSION_STRING] = "";
  int length = 0;
  LECO_MPI(MPI_Get_library_version(text, &length));
  const std::string name(text, static_cast<std::size_t>(length));
  return name.substr(0, name.find_first_of(",\n"));
}

std::string MpiSession::thread_level() {
  int level = MPI_THREAD_SINGLE;
  LECO_MPI(MPI_Query_thread(&level));
  if (level == MPI_THREAD_MULTIPLE) return "multiple";
  if (level == MPI_THREAD_SERIALIZED) return "serialized";
  return level == MPI_THREAD_FUNNELED ? "funneled" : "single";
}

}  // namespace leco
