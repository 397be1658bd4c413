// What every reader of files promises: it reads, or it refuses with one short line.
#pragma once

#include <cstdlib>
#include <iostream>
#include <string>

#include "core/error.h"

namespace leco::fuzz {

inline void require(bool holds, const std::string& what) {
  if (holds) return;
  std::cerr << "does not hold: " << what << '\n';
  std::abort();
}

// Whether `read` read. Any error but a usage error is a finding, and so is a message of several lines or of
// any length that the file likes.
template <class Read>
bool is_read(Read read) {
  constexpr size_t kLongestMessage = 4'000;
  try {
    read();
    return true;
  } catch (const Error& error) {
    const std::string what = error.what();
    require(error.status() == ExitStatus::kUsage, "a usage error: " + what);
    require(what.find_first_of("\n\r") == std::string::npos, "one line: " + what);
    require(what.size() <= kLongestMessage, "a short message: " + what);
    return false;
  }
}

}  // namespace leco::fuzz
