#include "comm/mpi_group.h"

#include <fmt/format.h>

#include "comm/mpi_error.h"
#include "comm/watchdog.h"

namespace leco {

MPI_Comm make_group(const std::vector<int>& ranks_of_job) {
  const Watch watch(fmt::format("meeting of {} ranks", ranks_of_job.size()));
  MPI_Group all = MPI_GROUP_NULL, some = MPI_GROUP_NULL;
  MPI_Comm group = MPI_COMM_NULL;
  LECO_MPI(MPI_Comm_group(MPI_COMM_WORLD, &all));
  LECO_MPI(MPI_Group_incl(all, static_cast<int>(ranks_of_job.size()), ranks_of_job.data(), &some));
  LECO_MPI(MPI_Comm_create_group(MPI_COMM_WORLD, some, /*tag=*/ranks_of_job.front(), &group));
  LECO_MPI(MPI_Group_free(&some));
  LECO_MPI(MPI_Group_free(&all));
  LECO_MPI(MPI_Comm_set_errhandler(group, MPI_ERRORS_RETURN));
  return group;
}

}  // namespace leco
