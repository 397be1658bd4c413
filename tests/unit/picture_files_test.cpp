#include <gif_lib.h>
#include <gtest/gtest.h>

#include <cstring>
#include <map>

#include "core/error.h"
#include "picture/gif.h"
#include "picture/palette.h"
#include "picture/png.h"
#include "tests/support/test_pictures.h"

namespace leco {
namespace {

std::vector<std::string> chunk_names(const std::string& bytes) {
  std::vector<std::string> names;
  for (size_t at = 8; at < bytes.size();) {
    const auto byte = [&](size_t i) {
      return static_cast<size_t>(static_cast<unsigned char>(bytes[at + i]));
    };
    names.push_back(bytes.substr(at + 4, 4));
    at += 12 + (byte(0) << 24 | byte(1) << 16 | byte(2) << 8 | byte(3));
  }
  return names;
}

TEST(Pictures, pixels_are_rounded_and_clipped_as_diffusers_does) {
  // (x/2 + 0.5)·255 = 0, 127.5 → 128 (to even), 255; outside; 0.25 → 159.375
  const torch::Tensor row = torch::tensor({-1.0f, 0.0f, 1.0f, -3.0f, 2.5f, 0.25f});
  const Picture picture = to_picture(row.expand({3, 2, 6}));
  EXPECT_EQ(picture.width, 6);
  EXPECT_EQ(picture.height, 2);
  const std::vector<uint8_t> wanted = {0, 128, 255, 0, 255, 159};
  for (int64_t y = 0; y < 2; ++y)
    for (int64_t x = 0; x < 6; ++x) EXPECT_EQ(picture.row(y)[3 * x + 1], wanted[x]);
}

TEST(Pictures, channels_become_red_green_blue) {
  const torch::Tensor image =
      torch::stack({torch::full({1, 1}, 1.0f), torch::full({1, 1}, 0.0f), torch::full({1, 1}, -1.0f)});
  EXPECT_EQ(to_picture(image).rgb, (std::vector<uint8_t>{255, 128, 0}));
  EXPECT_EQ(to_picture(image.to(torch::kHalf)).rgb, (std::vector<uint8_t>{255, 128, 0}));
}

TEST(Pictures, enlarging_repeats_pixels) {
  const Picture small = shaded(5, 3), large = enlarge(small, 4);
  ASSERT_EQ(large.width, 20);
  ASSERT_EQ(large.height, 12);
  for (int64_t y = 0; y < 12; ++y)
    for (int64_t x = 0; x < 20; ++x)
      for (int64_t c = 0; c < 3; ++c) EXPECT_EQ(large.row(y)[3 * x + c], small.row(y / 4)[3 * (x / 4) + c]);
}

TEST(Pictures, shrinking_undoes_enlarging_and_takes_means) {
  const Picture picture = shaded(9, 7);
  EXPECT_EQ(shrink(enlarge(picture, 3), 3), picture);
  Picture two(2, 2, {0, 0, 0});
  two.fill(0, 0, 2, 1, {255, 10, 0});
  EXPECT_EQ(shrink(two, 2), Picture(1, 1, {128, 5, 0}));
  EXPECT_EQ(shrink(shaded(10, 7), 4).width, 2);
}

TEST(Pictures, stack_from_top_to_bottom_on_white) {
  const Picture whole = stack({Picture(2, 1, {1, 2, 3}), Picture(1, 1, {4, 5, 6})});
  EXPECT_EQ(whole.rgb, (std::vector<uint8_t>{1, 2, 3, 1, 2, 3, 4, 5, 6, 255, 255, 255}));
}

TEST(Png, gives_the_same_pixels_back) {
  for (const auto& picture : {shaded(1, 1), shaded(37, 5), shaded(64, 64), Picture(300, 2)})
    EXPECT_EQ(decode_png(encode_png(picture, {{"prompt", "a cat"}})), picture);
}

TEST(Png, holds_texts_and_no_date_and_equal_ones_are_equal_bytes) {
  const PngTexts texts = {{"prompt", "a cat"}, {"note", "eine Kätzin, 女性"}};
  const std::string bytes = encode_png(shaded(8, 8), texts);
  EXPECT_EQ(bytes, encode_png(shaded(8, 8), texts));
  EXPECT_EQ(chunk_names(bytes), (std::vector<std::string>{"IHDR", "tEXt", "iTXt", "IDAT", "IEND"}));
}

TEST(Png, refuses_what_is_no_picture) {
  const std::string bytes = encode_png(shaded(37, 5));
  EXPECT_THROW(decode_png(""), Error);
  EXPECT_THROW(decode_png("of another run"), Error);
  EXPECT_THROW(decode_png(std::string_view(bytes).substr(0, bytes.size() / 2)), Error);
  std::string huge = bytes;  // width and height of 2²⁴
  huge[16] = huge[20] = 1;
  EXPECT_THROW(decode_png(huge), Error);
}

TEST(Png, refuses_texts_that_no_reader_could_show) {
  for (const PngTexts& texts :
       {PngTexts{{"", "x"}}, PngTexts{{std::string(80, 'k'), "x"}}, PngTexts{{"k\n", "x"}},
        PngTexts{{"k", "\xff\xfe"}}, PngTexts{{"k", std::string("a\0b", 3)}}})
    EXPECT_THROW(encode_png(shaded(2, 2), texts), Error);
  EXPECT_THROW(encode_png(Picture(), {}), Error);
}

struct ReadGif {
  std::vector<Picture> pictures;
  std::vector<int> delays;
  bool repeats = false;
};

ReadGif read_gif(const std::string& bytes) {
  std::string_view left = bytes;
  int reason = 0;
  GifFileType* gif = DGifOpen(
      &left,
      [](GifFileType* file, GifByteType* out, int count) {
        auto* rest = static_cast<std::string_view*>(file->UserData);
        const size_t given = rest->copy(reinterpret_cast<char*>(out), count);
        rest->remove_prefix(given);
        return static_cast<int>(given);
      },
      &reason);
  EXPECT_EQ(DGifSlurp(gif), GIF_OK) << GifErrorString(gif->Error);
  ReadGif found;
  for (int i = 0; i < gif->ImageCount; ++i) {
    const SavedImage& image = gif->SavedImages[i];
    Picture picture(image.ImageDesc.Width, image.ImageDesc.Height);
    for (int64_t p = 0; p < picture.width * picture.height; ++p) {
      const GifColorType& colour = gif->SColorMap->Colors[image.RasterBits[p]];
      picture.fill(p % picture.width, p / picture.width, 1, 1, {colour.Red, colour.Green, colour.Blue});
    }
    found.pictures.push_back(picture);
    GraphicsControlBlock control;
    EXPECT_EQ(DGifSavedExtensionToGCB(gif, i, &control), GIF_OK);
    found.delays.push_back(control.DelayTime);
    for (int e = 0; e < image.ExtensionBlockCount; ++e)
      found.repeats |= std::memcmp(image.ExtensionBlocks[e].Bytes, "NETSCAPE2.0", 11) == 0;
  }
  DGifCloseFile(gif, &reason);
  return found;
}

TEST(Gif, holds_each_picture_for_its_time_without_end) {
  Picture red(10, 6, {255, 0, 0}), blue(10, 6, {0, 0, 250});
  red.fill(2, 2, 3, 3, {1, 2, 3});
  const ReadGif gif = read_gif(encode_gif({red, blue, red}, 0.25));
  ASSERT_EQ(gif.pictures.size(), 3u);
  EXPECT_EQ(gif.pictures[0], red);  // few colours are kept exactly
  EXPECT_EQ(gif.pictures[1], blue);
  EXPECT_EQ(gif.pictures[2], red);
  EXPECT_EQ(gif.delays, (std::vector<int>{25, 25, 75}));
  EXPECT_TRUE(gif.repeats);
}

TEST(Gif, shades_stay_near_and_plain_areas_plain) {
  Picture picture = shaded(128, 96);
  picture.fill(100, 0, 28, 96, kWhite);
  const Picture read = read_gif(encode_gif({picture}, 0.1)).pictures.at(0);
  double off = 0;
  for (size_t i = 0; i < picture.rgb.size(); ++i) off += std::abs(picture.rgb[i] - read.rgb[i]);
  EXPECT_LT(off / static_cast<double>(picture.rgb.size()), 9);
  for (int64_t y = 0; y < 96; ++y)
    for (int64_t x = 100; x < 128; ++x) ASSERT_EQ(read.row(y)[3 * x], 255) << x << ", " << y;
  // Over a few pixels the errors even out.
  for (int c = 0; c < 3; ++c) {
    double given = 0, found = 0;
    for (int64_t y = 40; y < 56; ++y)
      for (int64_t x = 40; x < 56; ++x) given += picture.row(y)[3 * x + c], found += read.row(y)[3 * x + c];
    EXPECT_NEAR(given / 256, found / 256, 2.5);
  }
}

TEST(Palette, a_small_spot_of_its_own_colour_keeps_it) {
  Picture picture = shaded(200, 200);
  picture.fill(10, 10, 12, 12, {255, 0, 255});
  const auto palette = choose_palette({&picture, 1});
  EXPECT_EQ(palette.size(), 256u);
  const auto nearest =
      std::ranges::min(palette, {}, [](const Colour& c) { return (255 - c[0]) + c[1] + (255 - c[2]); });
  EXPECT_LT((255 - nearest[0]) + nearest[1] + (255 - nearest[2]), 30);
}

TEST(Gif, refuses_what_the_format_cannot_hold) {
  EXPECT_THROW(encode_gif({Picture(70000, 1)}, 0.1), Error);
  EXPECT_THROW(encode_gif({}, 0.1), Error);
  EXPECT_THROW(encode_gif({Picture(2, 2), Picture(2, 3)}, 0.1), Error);
}

}  // namespace
}  // namespace leco
