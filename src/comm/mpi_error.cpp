#include "comm/mpi_error.h"

#include <string>

#include "comm/library_error.h"

namespace leco {

void check_mpi(int code, const char* expression, std::source_location where) {
  if (code == MPI_SUCCESS) return;
  char text[MPI_MAX_ERROR_STRING] = "no text";
  int length = 0;
  if (MPI_Error_string(code, text, &length) != MPI_SUCCESS) length = 7;
  throw_library_error({"MPI", code, std::string(text, static_cast<std::size_t>(length)), expression, where});
}

}  // namespace leco
