// The text of a failed library call, the same for every library.
#pragma once

#include <source_location>
#include <string>

namespace leco {

struct LibraryCall {
  const char* library;
  int code;
  std::string text;
  const char* expression;
  std::source_location where;
};

// Throws Error: "rank 1: MPI error 8 (invalid root) in MPI_Bcast(...) at src/comm/mpi_communicator.cpp:70".
[[noreturn]] void throw_library_error(const LibraryCall& call);

}  // namespace leco
