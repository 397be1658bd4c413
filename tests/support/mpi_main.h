// For tests that run as several MPI processes: link mpi_main.cpp instead of gtest's main.
#pragma once

#include "comm/world.h"

namespace leco::testing {

// The one World of the test program; it lives in main.
World& test_world();

}  // namespace leco::testing
