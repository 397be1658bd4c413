#include "report/drawn_row.h"

#include <gtest/gtest.h>

#include "report/growth_frames.h"
#include "sample/prompt_rows.h"
#include "tests/support/refusal.h"

namespace leco {
namespace {

TEST(PromptRows, take_what_a_line_says_and_else_the_defaults) {
  const DrawingRow defaults{
      .prompt = "", .negative = "", .height = 512, .width = 512, .scales = {-1, 0, 1}, .seed = 9};
  SamplePrompt plain, full;
  plain.prompt = "a cat";
  full = {.prompt = "a dog",
          .negative_prompt = "bad",
          .width = 64,
          .height = 128,
          .seed = 3,
          .sample_steps = 7,
          .guidance_scale = 2,
          .sample_sampler = "k_euler",
          .multipliers = {0.5}};
  const auto rows = rows_of({plain, full}, defaults);
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0].prompt, "a cat");
  EXPECT_EQ(rows[0].seed, 9u);
  EXPECT_EQ(rows[0].scales, (std::vector<double>{-1, 0, 1}));
  EXPECT_EQ(rows[0].item, 0);
  EXPECT_EQ(rows[1].item, 1);  // a seed of its own replaces the key only
  EXPECT_EQ(rows[1].seed, 3u);
  EXPECT_EQ(rows[1].negative, "bad");
  EXPECT_EQ(rows[1].width, 64);
  EXPECT_EQ(rows[1].height, 128);
  EXPECT_EQ(rows[1].steps, 7);
  EXPECT_EQ(rows[1].guidance, 2);
  EXPECT_EQ(rows[1].sampler, SamplerKind::kEuler);
  EXPECT_EQ(rows[1].scales, (std::vector<double>{0.5}));
}

TEST(PromptRows, refuse_samplers_and_steps_with_their_place) {
  const auto refusal = [](const char* sampler, int64_t steps) {
    SamplePrompt prompt;
    prompt.place = "p.txt, line 4";
    prompt.sample_sampler = sampler;
    prompt.sample_steps = steps;
    return testing::refusal_of("p.txt, line 4", [&] { rows_of({prompt}, {}); });
  };
  EXPECT_NE(refusal("heun", 5).find("no sampler 'heun' here; there are ddim, ddpm"), std::string::npos);
  EXPECT_NE(refusal("dpm++2m", 999).find("999 steps are more than dpm++2m can make: 998"), std::string::npos);
  EXPECT_EQ(refusal("ddim", 999), "");
}

TEST(DrawnRow, becomes_a_grid_that_says_with_what_it_was_drawn) {
  DrawingRow row;
  row.prompt = "two";
  row.width = 128;
  row.height = 64;
  row.scales = {-1, 1};
  row.seed = 5;
  const PictureGrid grid = grid_of(row, {Picture(128, 64), Picture(128, 64)}, "a title");
  EXPECT_EQ(grid.title, "a title");
  EXPECT_EQ(grid.columns, (std::vector<std::string>{"\u22121", "+1"}));
  ASSERT_EQ(grid.rows.size(), 1u);
  EXPECT_EQ(grid.rows[0].pictures.size(), 2u);
  EXPECT_EQ(grid.rows[0].label, "two");
  EXPECT_EQ(grid.note, "ddim, 30 steps, guidance 7.5, seed 5, 128 × 64");
}

TEST(DrawnRow, says_in_texts_how_to_draw_it_again) {
  DrawingRow row;
  row.prompt = "a cat";
  row.scales = {-1, 0, 0.5};
  const PngTexts texts = texts_of(row);
  const auto value = [&](const std::string& key) {
    for (const auto& [name, text] : texts)
      if (name == key) return text;
    return std::string("(missing)");
  };
  EXPECT_EQ(value("prompt"), "a cat");
  EXPECT_EQ(value("multiplier"), "-1,0,0.5");
  EXPECT_EQ(value("sample_sampler"), "ddim");
  EXPECT_EQ(value("scale"), "7.5");
}

TEST(GrowthFrames, keep_the_first_and_the_last_and_a_bounded_number_evenly_apart) {
  GrowthFrames frames;
  EXPECT_TRUE(frames.pictures().empty());
  for (int64_t i = 0; i < 1000; ++i) {
    frames.add(Picture(1, 1, {uint8_t(i / 256), uint8_t(i), 0}));
    const auto kept = frames.pictures();
    ASSERT_LE(kept.size(), GrowthFrames::kMost + 1);
    const auto number = [](const Picture& picture) { return 256 * picture.rgb[0] + picture.rgb[1]; };
    ASSERT_EQ(number(kept.front()), 0);
    ASSERT_EQ(number(kept.back()), i);
    for (size_t j = 2; j + 1 < kept.size(); ++j)
      ASSERT_EQ(number(kept[j]) - number(kept[j - 1]), number(kept[1]) - number(kept[0]));
  }
  EXPECT_GT(frames.pictures().size(), 30u);
}

}  // namespace
}  // namespace leco
