// --network_args: every name of sd-scripts is read into its place or refused with what is allowed.
#include "tests/unit/launcher_flags_support.h"

namespace leco {
namespace {

ParsedTrain with_args(const Words& words, const Words& more = {}) {
  Words all = {"--network_args"};
  all.insert(all.end(), words.begin(), words.end());
  all.insert(all.end(), more.begin(), more.end());
  return parse(all);
}

std::string args_error(const Words& words, const Words& more = {}) {
  return error_of([&] { with_args(words, more); });
}

std::string shown(const TrainSettings& settings) {
  for (const auto& [name, value] : effective_settings(settings))
    if (name == "network_args") return value;
  return "no such setting";
}

TEST(NetworkArgs, read_ranks_alphas_and_dropouts) {
  const TrainSettings settings =
      with_args({"conv_dim=4", "conv_alpha=2", "dropout=0.1", "rank_dropout=0.2", "module_dropout=0.3"})
          .settings;
  EXPECT_EQ(settings.network_args.conv_dim, 4);
  EXPECT_EQ(settings.network_args.conv_alpha, 2.0);
  EXPECT_EQ(settings.network_dropout, 0.1);
  EXPECT_EQ(settings.network_args.rank_dropout, 0.2);
  EXPECT_EQ(settings.network_args.module_dropout, 0.3);
  EXPECT_EQ(shown(settings), "conv_dim=4 conv_alpha=2 rank_dropout=0.2 module_dropout=0.3");
  EXPECT_EQ(shown(parse({}).settings), "");
}

TEST(NetworkArgs, read_lists_by_block) {
  const TrainSettings settings = with_args({"block_dims=2,0, 4", "block_alphas=1,0.5,0",
                                            "conv_block_dims=1,2,3", "conv_block_alphas=1,1,1"})
                                     .settings;
  EXPECT_EQ(settings.network_args.block_dims, (std::vector<int64_t>{2, 0, 4}));
  EXPECT_EQ(settings.network_args.block_alphas, (std::vector<double>{1, 0.5, 0}));
  EXPECT_EQ(shown(settings),
            "block_dims=2,0,4 block_alphas=1,0.5,0 conv_block_dims=1,2,3 conv_block_alphas=1,1,1");
}

TEST(NetworkArgs, read_methods) {
  EXPECT_EQ(with_args({"train_method=xattn-strict"}).settings.network_args.train_method,
            TrainMethod::kXattnStrict);
  EXPECT_EQ(shown(with_args({"train_method=noxattn", "conv_dim=1"}).settings),
            "conv_dim=1 train_method=noxattn");
  EXPECT_EQ(
      args_error({"train_method=hspace"}),
      "--network_args train_method=hspace: train_method=hspace: expected one of full, xattn, xattn-strict, "
      "selfattn, noxattn");
}

TEST(NetworkArgs, read_rates) {
  const auto args = with_args({"down_lr_weight=cosine+0.25", "mid_lr_weight=0.5", "up_lr_weight=1,,0.5",
                               "loraplus_lr_ratio=16", "block_lr_zero_threshold=0.1"})
                        .settings;
  EXPECT_EQ(args.network_args.down_lr_weight.preset, "cosine");
  EXPECT_EQ(args.network_args.down_lr_weight.base, 0.25);
  EXPECT_EQ(args.network_args.mid_lr_weight.list, (std::vector<double>{0.5}));
  EXPECT_EQ(args.network_args.up_lr_weight.list, (std::vector<double>{1, 0, 0.5})) << "an empty place is 0";
  EXPECT_EQ(args.network_args.up_rate(), 16);
  EXPECT_EQ(shown(args),
            "down_lr_weight=cosine+0.25 mid_lr_weight=0.5 up_lr_weight=1,0,0.5 block_lr_zero_threshold=0.1 "
            "loraplus_lr_ratio=16");
  EXPECT_TRUE(contains(args_error({"up_lr_weight=cosinus"}), "or one of cosine, sine, linear"));
  EXPECT_TRUE(contains(args_error({"mid_lr_weight=cosine"}), "'mid_lr_weight = cosine': expected a number"));
  EXPECT_TRUE(contains(args_error({"loraplus_lr_ratio=2", "loraplus_unet_lr_ratio=4"}), "are the same here"));
}

TEST(NetworkArgs, the_last_list_replaces_an_earlier_one) {
  const auto args = with_args({"conv_dim=4"}, {"--network_args", "rank_dropout=0.5"}).settings.network_args;
  EXPECT_FALSE(args.conv_dim);
  EXPECT_EQ(args.rank_dropout, 0.5);
}

TEST(NetworkArgs, unknown_names_are_refused_with_the_nearest) {
  EXPECT_TRUE(
      contains(args_error({"conv_dims=4"}), "'conv_dims' is none of the arguments; did you mean conv_dim?"));
  EXPECT_TRUE(contains(args_error({"algo=lokr"}), "'algo' is none of the arguments"));
  EXPECT_TRUE(contains(args_error({"conv_dim"}), "name=value"));
}

TEST(NetworkArgs, values_outside_their_range_are_refused_with_it) {
  EXPECT_EQ(args_error({"conv_dim=0"}),
            "--network_args: 'conv_dim = 0': expected an integer from 1 to 16384");
  EXPECT_TRUE(contains(args_error({"conv_dim=4.5"}), "'conv_dim = 4.5': expected an integer"));
  EXPECT_TRUE(
      contains(args_error({"conv_dim=1", "conv_alpha=nan"}), "'conv_alpha = nan': expected a finite number"));
  for (const char* word : {"rank_dropout=1", "module_dropout=-0.1", "dropout=1.5"})
    EXPECT_TRUE(contains(args_error({word}), "expected a number of at least 0 and below 1")) << word;
  EXPECT_TRUE(contains(args_error({"block_dims=4,-1"}), "'block_dims = -1': expected an integer from 0"));
  EXPECT_TRUE(contains(args_error({"block_dims=4,,4"}), "'block_dims = ': expected an integer"));
  EXPECT_TRUE(contains(args_error({"loraplus_lr_ratio=-2"}), "'loraplus_lr_ratio = -2'"));
}

TEST(NetworkArgs, contradictions_are_refused) {
  EXPECT_TRUE(
      contains(args_error({"conv_dim=4", "train_method=xattn"}), "conv_dim contradicts a train_method"));
  EXPECT_TRUE(contains(args_error({"conv_alpha=1"}), "conv_alpha needs conv_dim"));
  EXPECT_TRUE(contains(args_error({"conv_block_alphas=1"}), "conv_block_alphas needs conv_block_dims"));
  EXPECT_TRUE(contains(args_error({"block_lr_zero_threshold=0.1"}), "block_lr_zero_threshold needs"));
  EXPECT_TRUE(
      contains(args_error({"dropout=0.1"}, {"--network_dropout=0.2"}), "contradicts --network_dropout=0.2"));
  EXPECT_EQ(args_error({"dropout=0.2"}, {"--network_dropout=0.2"}), "");
  EXPECT_TRUE(contains(args_error({"conv_dim=1"}, {"--dim_from_weights", "--network_weights=a.safetensors"}),
                       "contradicts conv_dim"));
  EXPECT_TRUE(contains(train_error({"--dim_from_weights"}), "--dim_from_weights needs --network_weights"));
}

TEST(NetworkArgs, what_has_no_effect_is_said_in_a_line) {
  const auto one = with_args({"loraplus_text_encoder_lr_ratio=4"}).notices;
  ASSERT_EQ(one.size(), 1u);
  EXPECT_TRUE(contains(one[0], "loraplus_text_encoder_lr_ratio has no effect here: only the U-Net"));
  const auto two = with_args({"conv_dim=4", "conv_block_dims=1,2"}).notices;
  ASSERT_EQ(two.size(), 1u);
  EXPECT_TRUE(contains(two[0], "conv_dim=4 has no effect here: conv_block_dims"));
  const auto three =
      parse({"--dim_from_weights", "--network_weights=a.safetensors", "--network_dim=8"}).notices;
  ASSERT_EQ(three.size(), 1u);
  EXPECT_TRUE(contains(three[0], "--network_dim=8 and --network_alpha=1 have no effect here"));
}

}  // namespace
}  // namespace leco
