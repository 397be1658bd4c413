// Values that other people's code computed (tests/parity/make_golden.py), and how far ours are from them.
#pragma once

#include <gtest/gtest.h>
#include <torch/types.h>

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "io/safetensors.h"

namespace leco {

// A file of tests/data/golden.
class Golden {
 public:
  explicit Golden(const std::string& file);
  torch::Tensor operator[](const std::string& name) const;  // throws where there is none
  const std::vector<TensorInfo>& tensors() const { return file_.header().tensors; }

 private:
  SafetensorsFile file_;
};

nlohmann::json golden_json(const std::string& file);

// |found − expected| / |expected| in the Euclidean norm over all entries, in double; where all that is
// expected is zero, |found|.
double relative_distance(const torch::Tensor& found, const torch::Tensor& expected);

// A line of the table in docs/parity.md.
void print_distance(const std::string& what, double distance, double allowed);

// Success where the relative distance, which is printed, is at most `tolerance`. A failure names the first
// entry that is off by more than tolerance · (greatest expected entry), the worst entry, and how many there
// are.
testing::AssertionResult is_near(const std::string& what, const torch::Tensor& found,
                                 const torch::Tensor& expected, double tolerance);

}  // namespace leco
