#include "tests/support/golden.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/read_file.h"

namespace leco {
namespace {

using torch::Tensor;

std::string path_of(const std::string& file) {
  return std::string(LECO_TEST_DATA "/golden/") + file;
}

// "[1, 0, 3]: found 0.25, expected 0.26"
std::string entry(int64_t flat, const Tensor& found, const Tensor& expected) {
  std::vector<int64_t> place;
  int64_t rest = flat;
  for (int64_t axis = expected.dim() - 1; axis >= 0; --axis) {
    place.insert(place.begin(), rest % expected.size(axis));
    rest /= expected.size(axis);
  }
  return fmt::format("[{}]: found {:.9g}, expected {:.9g}", fmt::join(place, ", "),
                     found.reshape(-1)[flat].item<double>(), expected.reshape(-1)[flat].item<double>());
}

std::string describe_difference(const Tensor& found, const Tensor& expected, double tolerance) {
  const Tensor difference = (found - expected).abs().reshape(-1).nan_to_num(INFINITY);
  const Tensor off = difference > tolerance * expected.abs().max();
  const int64_t count = off.sum().item<int64_t>();
  const std::string worst = entry(difference.argmax().item<int64_t>(), found, expected);
  if (count == 0) return "no entry stands out; worst " + worst;
  return fmt::format("{} of {} entries are off; first {}; worst {}", count, off.numel(),
                     entry(off.to(torch::kInt).argmax().item<int64_t>(), found, expected), worst);
}

}  // namespace

Golden::Golden(const std::string& file) : file_(path_of(file)) {}

Tensor Golden::operator[](const std::string& name) const {
  for (const TensorInfo& info : tensors())
    if (info.name == name) return file_.tensor(info);
  throw Error("no golden tensor " + name);
}

nlohmann::json golden_json(const std::string& file) {
  return nlohmann::json::parse(read_local_file(path_of(file)));
}

double relative_distance(const Tensor& found, const Tensor& expected) {
  const Tensor wanted = expected.detach().to(torch::kFloat64);
  const double difference = (found.detach().to(torch::kFloat64) - wanted).norm().item<double>();
  const double scale = wanted.norm().item<double>();
  return scale == 0 ? difference : difference / scale;
}

void print_distance(const std::string& what, double distance, double allowed) {
  std::puts(fmt::format("[ distance ] {:<64} {:.1e}, allowed {:.0e}", what, distance, allowed).c_str());
}

testing::AssertionResult is_near(const std::string& what, const Tensor& found, const Tensor& expected,
                                 double tolerance) {
  if (found.sizes() != expected.sizes())
    return testing::AssertionFailure()
           << fmt::format("{}: shape [{}], expected [{}]", what, fmt::join(found.sizes(), ", "),
                          fmt::join(expected.sizes(), ", "));
  const double distance = relative_distance(found, expected);
  print_distance(what, distance, tolerance);
  if (distance <= tolerance) return testing::AssertionSuccess();
  return testing::AssertionFailure() << fmt::format(
             "{}: relative distance {:.2e}, allowed {:.0e}; {}", what, distance, tolerance,
             describe_difference(found.detach().to(torch::kFloat64), expected.detach().to(torch::kFloat64),
                                 tolerance));
}

}  // namespace leco
