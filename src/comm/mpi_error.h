// Private to the MPI back-end: every MPI call stands in LECO_MPI(…). MPI must return its errors
// (MPI_ERRORS_RETURN).
#pragma once

#include <mpi.h>

#include <source_location>

namespace leco {

// Throws Error with code, text, expression, place and rank.
void check_mpi(int code, const char* expression,
               std::source_location where = std::source_location::current());

}  // namespace leco

#define LECO_MPI(expr) ::leco::check_mpi((expr), #expr)
