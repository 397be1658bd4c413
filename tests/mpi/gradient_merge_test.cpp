// What ranks agree on in a step: the exact merge, the message before it, and the files they share. Each
// answer is compared with one that a single process computes.
#include <gtest/gtest.h>
#include <torch/types.h>
#include <unistd.h>

#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <limits>
#include <map>

#include "comm/local_communicator.h"
#include "core/error.h"
#include "core/philox.h"
#include "io/safetensors.h"
#include "tests/support/checkpoint_parts.h"
#include "tests/support/mpi_main.h"
#include "train/gradient_merge.h"
#include "train/shared_files.h"
#include "train/step_message.h"

namespace leco {
namespace {

using leco::testing::test_world;
using torch::Tensor;

constexpr int64_t kLength = 266243;  // three pieces of the merge, the last one odd
constexpr int64_t kUnits = 11;

Tensor normals(int64_t unit) {
  static std::map<int64_t, Tensor> drawn;
  const auto [place, is_new] = drawn.try_emplace(unit);
  if (is_new) {
    place->second = torch::empty({kLength}, torch::kFloat32);
    Draws(5, {.purpose = Purpose::kInitialLatents, .item = unit})
        .fill_normal({place->second.data_ptr<float>(), static_cast<size_t>(kLength)});
  }
  return place->second;
}

// The gradients of a step's units, the same on every rank.
struct Case {
  const char* name;
  Tensor (*gradient)(int64_t unit);
};

void PrintTo(const Case& data, std::ostream* out) {
  *out << data.name;
}

const Case kCases[] = {
    {"normal", [](int64_t unit) { return normals(unit); }},
    {"over_24_octaves",
     [](int64_t unit) {
       const Tensor octaves = torch::arange(kLength, torch::kFloat32) % 24 - 12;
       return normals(unit) * torch::exp2(octaves + unit % 5);
     }},
    {"cancelling",  // pairs of opposite units, and one small one that must be what is left
     [](int64_t unit) {
       if (unit == kUnits - 1) return normals(unit) * 1e-5;
       return normals(unit / 2) * (unit % 2 == 0 ? 1 : -1);
     }},
    {"denormal", [](int64_t unit) { return normals(unit) * 1e-22f * 1e-22f; }},
    {"least_denormal",
     [](int64_t unit) {
       return torch::full({kLength}, (unit + 1) * std::numeric_limits<float>::denorm_min(), torch::kFloat32);
     }},
    {"zero", [](int64_t) { return torch::zeros({kLength}, torch::kFloat32); }},
    {"greatest",  // the sum of all is beyond float32, the mean is not
     [](int64_t unit) {
       const float top = std::numeric_limits<float>::max();
       return torch::where(normals(unit) > (unit % 2 == 0 ? 0.5 : -4.0), top, -top);
     }},
    {"one_giant", [](int64_t unit) { return normals(unit) * (unit == 3 ? 1e30 : 1.0); }},
};

using Owner = int64_t (*)(int64_t unit, int64_t ranks);

const std::vector<Owner> kSpreads = {
    [](int64_t unit, int64_t ranks) { return unit % ranks; },
    [](int64_t unit, int64_t ranks) { return unit * ranks / kUnits; },
    [](int64_t, int64_t ranks) { return ranks - 1; },  // the others hold nothing
    [](int64_t unit, int64_t ranks) { return (unit * unit + 1) % ranks; },
};

// This rank holds what `owner` gives it; the last unit first where `backwards`.
Tensor merged(Communicator& comm, const Case& data, Owner owner, bool backwards = false) {
  Tensor gradient = torch::full({kLength}, 1e9f);
  GradientMerge merge(gradient);
  StepMessage message(1);
  message.losses[0] = 0;
  for (int64_t i = 0; i < kUnits; ++i) {
    const int64_t unit = backwards ? kUnits - 1 - i : i;
    if (owner(unit, comm.size()) != comm.rank()) continue;
    merge.next_pack();
    gradient += data.gradient(unit);
    message.greatest_gradient = std::max(message.greatest_gradient, merge.greatest());
  }
  message.share(comm, torch::kCPU);
  merge.merge(comm, message.greatest_gradient, kUnits, kUnits);
  return gradient;
}

bool same_bits(const Tensor& a, const Tensor& b) {
  return a.view(torch::kInt32).equal(b.view(torch::kInt32));
}

class GradientMergeTest : public ::testing::TestWithParam<Case> {};

INSTANTIATE_TEST_SUITE_P(Data, GradientMergeTest, ::testing::ValuesIn(kCases),
                         [](const auto& info) { return std::string(info.param.name); });

TEST_P(GradientMergeTest, GivesTheBitsOfOneRankHoweverTheUnitsAreSpread) {
  const auto alone = make_local_communicator();
  const Tensor expected = merged(*alone, GetParam(), kSpreads[0]);
  for (const Owner spread : kSpreads) {
    for (const bool backwards : {false, true})
      EXPECT_TRUE(same_bits(merged(test_world().host(), GetParam(), spread, backwards), expected));
  }
}

// Lost is at most half a step of the scale a unit, and half a last place of float32 in the end.
TEST_P(GradientMergeTest, IsTheMeanToTheLastPlaceOfFloat32) {
  Tensor sum = torch::zeros({kLength}, torch::kFloat64);
  double greatest = 0;
  for (int64_t unit = 0; unit < kUnits; ++unit) {
    const Tensor gradient = GetParam().gradient(unit).to(torch::kFloat64);
    sum += gradient;
    greatest = std::max(greatest, gradient.abs().max().item<double>());
  }
  const Tensor mean = sum / static_cast<double>(kUnits);
  const Tensor error =
      (merged(test_world().host(), GetParam(), kSpreads[0]).to(torch::kFloat64) - mean).abs();
  const Tensor allowed = mean.abs() * std::exp2(-24) + greatest * std::exp2(-56) +
                         static_cast<double>(std::numeric_limits<float>::denorm_min()) / 2;
  EXPECT_TRUE(error.le(allowed).all().item<bool>());
  if (test_world().rank() == 0) {
    const double relative = (error / mean.abs().clamp_min(1e-300)).max().item<double>();
    std::printf("  greatest error: 2^%.1f of the greatest gradient; of its own element 2^%.1f\n",
                std::log2(error.max().item<double>() / greatest), std::log2(relative));
  }
}

TEST(FixedPoint, NeverOverflowsAndWastesLessThanTwoBits) {
  for (const double greatest : {1.0, 1.5, 0.99999, 3.4028234663852886e38, 1.4e-45, 1e-3}) {
    for (const int64_t units : {1, 2, 3, 4, 5, 1000000}) {
      const double top =
          std::ldexp(greatest, fixed_point_exponent(greatest, units)) * static_cast<double>(units);
      EXPECT_LE(top, std::exp2(62)) << greatest << " × " << units;
      EXPECT_GE(top, std::exp2(60)) << greatest << " × " << units;
    }
  }
}

TEST(GradientMerge, SendsSeveralPieces) {
  EXPECT_GT(kLength, 2 * merge_piece(torch::kCPU, test_world().size()));
}

TEST(GradientMerge, ShowsWhatIsNotFinite) {
  for (const float odd :
       {std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity(), std::nanf("")}) {
    Tensor gradient = torch::ones({5});
    gradient[3] = odd;
    EXPECT_FALSE(std::isfinite(GradientMerge(gradient).greatest()));
  }
}

TEST(StepMessage, CarriesEachLossFromTheRankThatHasItAndTheGreatestOfTheRest) {
  Communicator& comm = test_world().host();
  const int64_t rank = comm.rank(), size = comm.size();
  StepMessage message(3 * size);
  for (int64_t i = 0; i < 3 * size; ++i)
    if (i % size == rank)
      message.losses[i] = -0.5 * static_cast<double>(i);  // negative ones too: no sign is lost
  message.greatest_gradient = static_cast<double>(rank + 1);
  for (size_t phase = 0; phase < kPhases; ++phase)
    message.seconds[phase] = static_cast<double>(rank == static_cast<int64_t>(phase) % size ? 7 + phase : 1);
  message.share(comm, torch::kCPU);
  for (int64_t i = 0; i < 3 * size; ++i) EXPECT_EQ(message.losses[i], -0.5 * static_cast<double>(i));
  EXPECT_EQ(message.greatest_gradient, static_cast<double>(size));
  EXPECT_EQ(message.faulty_rank, -1);
  EXPECT_EQ(message.fault, "");
  for (size_t phase = 0; phase < kPhases; ++phase) EXPECT_EQ(message.seconds[phase], 7.0 + phase);
}

TEST(StepMessage, TellsEveryRankWhatTheFaultyOneMet) {
  Communicator& comm = test_world().host();
  for (int faulty = 0; faulty < comm.size(); ++faulty) {
    StepMessage message(1);
    message.fault = comm.rank() == faulty ? "the loss of item 3 (“ü”)" : "";
    if (comm.rank() == faulty) message.faulty_rank = faulty;
    message.share(comm, torch::kCPU);
    EXPECT_EQ(message.faulty_rank, faulty);
    EXPECT_EQ(message.fault, "the loss of item 3 (“ü”)");
  }
}

TEST(StepMessage, NamesTheHighestOfSeveralFaultyRanks) {
  Communicator& comm = test_world().host();
  StepMessage message(1);
  message.faulty_rank = comm.rank();
  message.fault = "of rank " + std::to_string(comm.rank());
  message.share(comm, torch::kCPU);
  EXPECT_EQ(message.fault, "of rank " + std::to_string(comm.size() - 1));
}

// A folder that only rank 0 sees, as if the others had no such file system.
class SharedFilesTest : public ::testing::Test {
 protected:
  SharedFilesTest() {
    if (rank_ != 0) return;
    std::filesystem::create_directories(folder_);
    std::ofstream(folder_ + "/text") << contents_;
    std::ofstream(folder_ + "/empty");
    std::ofstream(folder_ + "/broken.safetensors") << "no header";
    write_safetensors(folder_ + "/tensors.safetensors", tensors(), {});
    write_checkpoint();
  }
  ~SharedFilesTest() override {
    test_world().host().barrier();
    if (rank_ == 0) std::filesystem::remove_all(folder_);
  }

  static NamedTensors tensors() {
    return {{"ramp", torch::arange(5000, torch::kFloat32).reshape({50, 100})},
            {"half", torch::arange(9, torch::kFloat16)},
            {"flags", torch::arange(7).remainder(2).to(torch::kBool)},
            {"scalar", torch::scalar_tensor(2.5, torch::kFloat64)},
            {"none", torch::empty({0, 3}, torch::kFloat32)}};
  }

  // A ramp of six floats under two names, once turned.
  void write_checkpoint() const {
    const Tensor ramp = torch::arange(6, torch::kFloat32);
    const std::string bytes(static_cast<const char*>(ramp.const_data_ptr()), ramp.nbytes());
    const std::string weights = parts::dict(
        {{"a name", parts::tensor({})}, {"transposed", parts::tensor({.shape = {3, 2}, .strides = {1, 3}})}});
    std::ofstream(folder_ + "/weights.ckpt", std::ios::binary) << parts::checkpoint(weights, bytes);
  }

  // Text and status of the error that `act` throws.
  template <class Act>
  static std::pair<std::string, ExitStatus> error_of(Act act) {
    try {
      act();
    } catch (const Error& error) {
      return {error.what(), error.status()};
    }
    return {"nothing was thrown", ExitStatus::kDone};
  }

  int rank_ = test_world().rank();
  std::string folder_ =
      (std::filesystem::temp_directory_path() / ("leco_shared_files_" + std::to_string(getpid()))).string();
  std::string contents_ = std::string("first\0second\r\n", 14) + std::string(100000, 'x');
  std::unique_ptr<FileSource> files_ = share_files(test_world().host());
};

TEST_F(SharedFilesTest, EveryRankGetsTheBytesThatRankZeroReads) {
  EXPECT_EQ(files_->read(folder_ + "/text"), contents_);
  EXPECT_EQ(files_->read(folder_ + "/empty"), "");
  EXPECT_EQ(reader_of(*files_)(folder_ + "/text"), contents_);
  EXPECT_TRUE(files_->exists(folder_ + "/text"));
  EXPECT_TRUE(files_->exists(folder_));
  EXPECT_FALSE(files_->exists(folder_ + "/nothing"));
}

TEST_F(SharedFilesTest, EveryRankGetsTheSameTensors) {
  StateDict shared = files_->open_safetensors(folder_ + "/tensors.safetensors");
  EXPECT_EQ(shared.left().size(), tensors().size());
  for (const auto& [name, expected] : tensors()) {
    const Tensor tensor = shared.take(name, expected.sizes().vec());
    EXPECT_EQ(tensor.scalar_type(), expected.scalar_type());
    EXPECT_TRUE(tensor.equal(expected)) << name;
  }
}

TEST_F(SharedFilesTest, EveryRankGetsTheWeightsOfEitherKindOfFile) {
  EXPECT_EQ(files_->open_weights(folder_ + "/tensors.safetensors").left().size(), tensors().size());
  StateDict shared = files_->open_weights(folder_ + "/weights.ckpt");
  EXPECT_EQ(shared.left(), (std::vector<std::string>{"a name", "transposed"}));
  const Tensor ramp = torch::arange(6, torch::kFloat32);
  EXPECT_TRUE(shared.take("transposed", {3, 2}).equal(ramp.view({2, 3}).t()));
  EXPECT_TRUE(shared.take("a name", {2, 3}).equal(ramp.view({2, 3})));
  EXPECT_TRUE(files_->open_outline(folder_ + "/weights.ckpt").take("transposed", {3, 2}).is_meta());
  EXPECT_EQ(error_of([&] { files_->open_weights(folder_ + "/text"); }).second, ExitStatus::kUsage);
  EXPECT_EQ(error_of([&] { files_->open_outline(folder_ + "/nothing.ckpt"); }).second, ExitStatus::kUsage);
}

TEST_F(SharedFilesTest, TheReaderReadsAloneAndThenTogetherAgainAlsoAfterAnError) {
  if (rank_ == 0) {
    files_->read_alone([&] {
      EXPECT_EQ(files_->read(folder_ + "/text"), contents_);
      EXPECT_TRUE(files_->open_safetensors(folder_ + "/tensors.safetensors")
                      .take("scalar", {})
                      .equal(tensors()[3].second));
    });
    EXPECT_EQ(error_of([&] { files_->read_alone([&] { files_->read(folder_ + "/nothing"); }); }).second,
              ExitStatus::kUsage);
  }
  EXPECT_EQ(files_->read(folder_ + "/text"), contents_);
}

TEST_F(SharedFilesTest, AnOutlineHasNamesTypesAndShapesAlone) {
  StateDict outline = files_->open_outline(folder_ + "/tensors.safetensors");
  for (const auto& [name, expected] : tensors()) {
    const Tensor tensor = outline.take(name, expected.sizes().vec());
    EXPECT_TRUE(tensor.is_meta());
    EXPECT_EQ(tensor.scalar_type(), expected.scalar_type());
  }
}

TEST_F(SharedFilesTest, EveryRankGetsTheSameErrorWithItsStatus) {
  const std::pair missing = error_of([&] { files_->read("/no/such/file"); });
  EXPECT_EQ(missing,
            (std::pair<std::string, ExitStatus>("no such file: '/no/such/file'", ExitStatus::kUsage)));
  const auto broken = error_of([&] { files_->open_safetensors("/dev/null"); });
  EXPECT_EQ(broken.second, ExitStatus::kUsage);
  EXPECT_NE(broken.first.find("/dev/null"), std::string::npos) << broken.first;
  EXPECT_EQ(error_of([&] { files_->open_outline(folder_ + "/broken.safetensors"); }).second,
            ExitStatus::kUsage);
  EXPECT_EQ(files_->read(folder_ + "/text"), contents_) << "an error leaves the ranks in step";
}

TEST(DoOnReader, GivesAllRanksTheTextOrTheErrorOfRankZero) {
  Communicator& comm = test_world().host();
  const std::string mine = "rank " + std::to_string(comm.rank());
  EXPECT_EQ(do_on_reader(comm, [&] { return mine; }), "rank 0");
  try {
    do_on_reader(comm, [&]() -> std::string { throw Error(mine); });
    FAIL() << "nothing was thrown";
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "rank 0");
    EXPECT_EQ(error.status(), ExitStatus::kFailure);
  }
}

}  // namespace
}  // namespace leco
