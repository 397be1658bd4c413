// What a refusal of a bad file looks like: the user's mistake, told in one line that names the file.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "core/error.h"

namespace leco::testing {

// The message of the refusal of `file` by `read`; empty when it is read.
template <class Read>
std::string refusal_of(const std::string& file, Read read) {
  try {
    read();
  } catch (const Error& error) {
    EXPECT_EQ(error.status(), ExitStatus::kUsage);
    EXPECT_NE(std::string(error.what()).find(file), std::string::npos) << error.what();
    EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos) << error.what();
    return error.what();
  }
  return {};
}

}  // namespace leco::testing
