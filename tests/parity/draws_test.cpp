// Every draw must be the one that numpy makes of the random contract (draws.json, made by make_golden.py; the
// crops by make_family_golden.py).
#include <gtest/gtest.h>

#include <bit>
#include <nlohmann/json.hpp>

#include "core/philox.h"
#include "core/read_file.h"
#include "plan/item_draws.h"

namespace leco {
namespace {

using nlohmann::json;
using Steps = std::vector<std::vector<int64_t>>;

constexpr uint64_t kSeed = 1234;  // of the golden's pairs, lengths and sizes

const json& golden() {
  static const json parsed = json::parse(read_local_file(LECO_TEST_DATA "/golden/draws.json"));
  return parsed;
}

Draws draws_of(const json& use) {
  return {use["seed"],
          {.purpose = static_cast<Purpose>(use["purpose"].get<uint32_t>()),
           .step = use["step"],
           .item = use["item"],
           .sub = use["sub"]}};
}

std::string as_hexadecimal(uint32_t word) {
  std::array<char, 9> text;
  std::snprintf(text.data(), text.size(), "%08x", word);
  return text.data();
}

// One member of each item of each step.
template <class Member>
Steps drawn(const DrawSettings& settings, const std::vector<PromptPair>& pairs, size_t steps, Member member) {
  Steps all;
  for (size_t step = 0; step < steps; ++step) {
    auto& of_step = all.emplace_back();
    for (const WorkItem& item : draw_items(settings, pairs, static_cast<int64_t>(step)))
      of_step.push_back(item.*member);
  }
  return all;
}

TEST(Draws, words_uniforms_and_integers_are_numpys) {
  ASSERT_FALSE(golden()["draws"].empty());
  for (const json& use : golden()["draws"]) {
    const Draws draws = draws_of(use);
    for (size_t i = 0; i < use["words"].size(); ++i)
      EXPECT_EQ(as_hexadecimal(draws.word(i)), use["words"][i]) << use << i;
    for (size_t i = 0; i < use["uniforms"].size(); ++i)
      EXPECT_EQ(draws.uniform(i), use["uniforms"][i].get<double>()) << use << i;
    for (const json& list : use["integers"])
      for (size_t i = 0; i < list[1].size(); ++i)
        EXPECT_EQ(draws.integer(i, list[0]), list[1][i].get<uint32_t>()) << use << i;
  }
}

TEST(Draws, normals_are_numpys_to_the_last_bit) {
  for (const json& use : golden()["draws"]) {
    std::vector<float> normals(use["normals"].size());
    draws_of(use).fill_normal(normals);
    for (size_t i = 0; i < normals.size(); ++i)
      EXPECT_EQ(as_hexadecimal(std::bit_cast<uint32_t>(normals[i])), use["normals"][i]) << use << i;
  }
}

TEST(ItemDraws, an_epoch_is_the_shuffle_of_the_contract) {
  for (const json& shuffle : golden()["permutations"]) {
    const size_t count = shuffle["P"];
    const DrawSettings settings = {.seed = shuffle["seed"], .items = static_cast<int64_t>(count)};
    const auto epochs = shuffle["epochs"].get<Steps>();
    EXPECT_EQ(drawn(settings, std::vector<PromptPair>(count), epochs.size(), &WorkItem::pair), epochs)
        << shuffle;
  }
}

TEST(ItemDraws, pairs_come_in_the_order_of_the_reference) {
  for (const json& order : golden()["pairs"]) {
    const DrawSettings settings = {
        .seed = kSeed,
        .items = order["N"],
        .pair_order = order["pair_order"] == "random" ? PairOrder::kRandom : PairOrder::kShuffle};
    const auto steps = order["steps"].get<Steps>();
    const std::vector<PromptPair> pairs(order["P"].get<size_t>());
    EXPECT_EQ(drawn(settings, pairs, steps.size(), &WorkItem::pair), steps) << order;
  }
}

TEST(ItemDraws, rollout_lengths_and_timesteps_are_the_references) {
  const std::map<std::string, RolloutLength> modes = {{"shared", RolloutLength::kShared},
                                                      {"independent", RolloutLength::kIndependent},
                                                      {"antithetic", RolloutLength::kAntithetic}};
  for (const json& lengths : golden()["lengths"]) {
    const auto steps = lengths["steps"].get<Steps>();
    const DrawSettings settings = {.seed = kSeed,
                                   .items = static_cast<int64_t>(steps[0].size()),
                                   .denoising_steps = lengths["K"],
                                   .rollout_length = modes.at(lengths["rollout_length"])};
    EXPECT_EQ(drawn(settings, {PromptPair{}}, steps.size(), &WorkItem::k), steps) << lengths;
    Steps timesteps = steps;
    for (auto& step : timesteps)
      for (int64_t& k : step) k = 999 - k * 1000 / settings.denoising_steps;
    EXPECT_EQ(drawn(settings, {PromptPair{}}, steps.size(), &WorkItem::timestep), timesteps) << lengths;
  }
}

TEST(ItemDraws, dynamic_sizes_are_the_references) {
  for (const json& sizes : golden()["sizes"]) {
    PromptPair pair;
    pair.resolution = {sizes["resolution"], sizes["resolution"]};
    pair.dynamic_resolution = true;
    for (size_t step = 0; step < sizes["steps"].size(); ++step) {
      const json& expected = sizes["steps"][step];
      const DrawSettings settings = {.seed = kSeed, .items = static_cast<int64_t>(expected.size())};
      for (const WorkItem& item : draw_items(settings, {pair}, static_cast<int64_t>(step)))
        EXPECT_EQ(expected[item.index], (json{item.resolution.height, item.resolution.width})) << sizes;
    }
  }
}

TEST(ItemDraws, dynamic_crops_are_the_references) {
  const json crops = json::parse(read_local_file(LECO_TEST_DATA "/golden/sdxl_steps.json"))["crops"];
  ASSERT_FALSE(crops.empty());
  for (const json& list : crops) {
    const json& size = list["resolution"];
    PromptPair pair;
    pair.dynamic_resolution = size.is_number();
    pair.resolution = size.is_number() ? Resolution{size, size} : Resolution{size[0], size[1]};
    pair.dynamic_crops = true;
    for (size_t step = 0; step < list["steps"].size(); ++step) {
      const json& expected = list["steps"][step];
      const DrawSettings settings = {.seed = kSeed, .items = static_cast<int64_t>(expected.size())};
      for (const WorkItem& item : draw_items(settings, {pair}, static_cast<int64_t>(step)))
        EXPECT_EQ(expected[item.index],
                  (json{item.crop.original.height, item.crop.original.width, item.crop.top, item.crop.left,
                        item.resolution.height, item.resolution.width}))
            << size;
    }
  }
}

TEST(ItemDraws, without_dynamic_crops_the_picture_is_whole) {
  PromptPair pair;
  pair.resolution = {72, 128};
  for (const WorkItem& item : draw_items({.items = 3}, {pair}, 5)) {
    EXPECT_EQ(item.crop.original, pair.resolution);
    EXPECT_EQ(item.crop.top, 0);
    EXPECT_EQ(item.crop.left, 0);
  }
}

}  // namespace
}  // namespace leco
