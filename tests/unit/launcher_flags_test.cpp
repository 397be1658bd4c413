#include "tests/unit/launcher_flags_support.h"

#include "launcher/flags/flag_values.h"

namespace leco {
namespace {

TEST(Parsing, TakesBothWaysOfWritingAValue) {
  EXPECT_EQ(parse({"--network_dim=8"}).settings.network_dim, 8);
  EXPECT_EQ(parse({"--network_dim", "8"}).settings.network_dim, 8);
  EXPECT_EQ(parse({"--training_comment=a=b"}).settings.training_comment, "a=b");
  EXPECT_EQ(parse({"--training_comment", "two words"}).settings.training_comment, "two words");
  EXPECT_EQ(parse({"--network_weights="}).settings.network_weights, "");
}

TEST(Parsing, TakesNegativeNumbersAsValues) {
  EXPECT_EQ(parse({"--leco_denoise_guidance_scale", "-1.5"}).settings.leco_denoise_guidance_scale, -1.5);
  EXPECT_EQ(parse({"--noise_offset=-1e-2"}).settings.noise_offset, -0.01);
}

TEST(Parsing, LetsTheLastOfTwoWin) {
  EXPECT_EQ(parse({"--network_dim=8", "--network_dim", "16"}).settings.network_dim, 16);
  const auto adamw =
      parse({"--optimizer_args", "eps=1", "--optimizer_args", "weight_decay=0"}).settings.optimizer;
  EXPECT_EQ(adamw.eps, 1e-8) << "the later list replaces the earlier one";
  EXPECT_EQ(adamw.weight_decay, 0);
}

TEST(Parsing, TakesSwitchesAloneAndWithTrueOrFalse) {
  EXPECT_FALSE(parse({}).settings.no_metadata);
  EXPECT_TRUE(parse({"--no_metadata"}).settings.no_metadata);
  EXPECT_TRUE(parse({"--no_metadata=true"}).settings.no_metadata);
  EXPECT_FALSE(parse({"--no_metadata", "--no_metadata=false"}).settings.no_metadata);
  EXPECT_EQ(train_error({"--no_metadata=1"}), "--no_metadata=1: expected true or false, or the flag alone");
}

TEST(Parsing, TakesListsOfWords) {
  const auto adamw = parse({"--optimizer_args", "betas=0.8,0.9", "eps=1e-6", "weight_decay=0.1", "--seed=1"})
                         .settings.optimizer;
  EXPECT_EQ(adamw.betas, (NumberPair{0.8, 0.9}));
  EXPECT_EQ(adamw.eps, 1e-6);
  EXPECT_EQ(adamw.weight_decay, 0.1);
  EXPECT_EQ(parse({"--optimizer_args=betas=(0.8, 0.9)"}).settings.optimizer.betas[1], 0.9);
  EXPECT_EQ(parse({"--optimizer_args"}).settings.optimizer.weight_decay, 0.01);
}

TEST(Parsing, TakesEverySamplerByEachOfItsNames) {
  EXPECT_EQ(parse({}).settings.rollout_sampler, SamplerKind::kDdpm);
  for (const auto& [name, kind] : sampler_names())
    EXPECT_EQ(parse({"--rollout_sampler=" + name}).settings.rollout_sampler, kind);
  EXPECT_EQ(
      train_error({"--rollout_sampler=heun"}),
      "--rollout_sampler=heun: expected one of ddim, ddpm, euler, euler_a, dpm++2m, k_euler, k_euler_a, "
      "dpmsolver++");
  EXPECT_EQ(parse({"--max_denoising_steps=1000"}).settings.max_denoising_steps, 1000);
  EXPECT_EQ(train_error({"--max_denoising_steps=1000", "--rollout_sampler=dpmsolver++"}),
            "--max_denoising_steps=1000: expected at most 999 with --rollout_sampler=dpm++2m");
  EXPECT_TRUE(contains(train_error({"--samples_per_rollout=0"}), "--samples_per_rollout=0: expected"));
}

TEST(Parsing, RefusesWhatIsNoFlag) {
  EXPECT_EQ(train_error({"--lerning_rate=1e-4"}),
            "unknown flag --lerning_rate; did you mean --learning_rate? (--help lists all flags)");
  EXPECT_TRUE(contains(train_error({"--max-train-steps=5"}), "did you mean --max_train_steps?"));
  EXPECT_TRUE(contains(train_error({"--learning", "1e-4"}), "did you mean --learning_rate?"));
  EXPECT_TRUE(contains(train_error({"--config", "x"}), "did you mean --config_file?"));
  EXPECT_TRUE(contains(train_error({"model.safetensors"}), "stray word 'model.safetensors'"));
  EXPECT_TRUE(
      contains(train_error({"--sdpa", "true"}), "--sdpa takes no value; write --sdpa or --sdpa=false"));
  EXPECT_TRUE(contains(train_error({"-x"}), "stray word '-x'"));
  EXPECT_TRUE(contains(train_error({"--"}), "stray word '--'"));
  EXPECT_TRUE(contains(train_error({"--=3"}), "unknown flag --"));
}

TEST(Parsing, RefusesAFlagWithoutItsValue) {
  EXPECT_EQ(train_error({"--network_dim"}), "--network_dim needs a value: --network_dim=…");
  EXPECT_EQ(train_error({"--network_dim", "--sdpa"}), "--network_dim needs a value: --network_dim=…");
}

TEST(Parsing, AnswersHelpWithoutLookingAtTheRest) {
  EXPECT_TRUE(parse_train_flags(Words{"--help"}, no_file).help);
  EXPECT_TRUE(parse_train_flags(Words{"-h"}, no_file).help);
  EXPECT_TRUE(parse_train_flags(Words{"--network_dim=0", "--config_file=gone", "-h"}, no_file).help);
  EXPECT_FALSE(parse({}).help);
}

TEST(Parsing, WorksForAnyTable) {
  bool json = false;
  std::vector<Flag> table(1);
  table[0].name = "json";
  table[0].form = switch_form(json);
  Words files;
  apply_flags(table, parse_arguments(table, Words{"a.safetensors", "--json"}, &files));
  EXPECT_TRUE(json);
  EXPECT_EQ(files, Words{"a.safetensors"});
}

TEST(Ranges, RefuseValuesOutsideAndSayWhatIsAllowed) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"--network_dim=-4", "an integer from 1 to 16384"},
      {"--network_dim=0", "an integer from 1 to 16384"},
      {"--network_dim=4.5", "an integer from 1 to 16384"},
      {"--network_dim=99999999999999999999", "an integer from 1 to 16384"},
      {"--max_denoising_steps=1", "an integer from 2 to 1000"},
      {"--max_denoising_steps=1001", "an integer from 2 to 1000"},
      {"--learning_rate=nan", "a finite number of at least 0"},
      {"--learning_rate=inf", "a finite number of at least 0"},
      {"--learning_rate=-1e-4", "a finite number of at least 0"},
      {"--learning_rate=fast", "a finite number of at least 0"},
      {"--learning_rate=", "a finite number of at least 0"},
      {"--learning_rate=1e-4x", "a finite number of at least 0"},
      {"--learning_rate=1e999", "a finite number of at least 0"},
      {"--unet_lr=NaN", "a finite number of at least 0"},
      {"--leco_denoise_guidance_scale=inf", "a finite number"},
      {"--noise_offset=nan", "a finite number"},
      {"--min_snr_gamma=-1", "a finite number of at least 0"},
      {"--min_snr_gamma=inf", "a finite number of at least 0"},
      {"--network_alpha=-1", "a finite number of at least 0"},
      {"--network_dropout=1", "a number of at least 0 and below 1"},
      {"--network_dropout=-0.1", "a number of at least 0 and below 1"},
      {"--max_grad_norm=-1", "a finite number of at least 0"},
      {"--max_train_steps=0", "an integer from 1 to 4294967294"},
      {"--gradient_accumulation_steps=0", "an integer from 1 to 1000000"},
      {"--pairs_per_step=0", "an integer from 1 to 1000000"},
      {"--items_per_pass=0", "an integer from 1 to 1000000"},
      {"--threads=0", "an integer from 1 to 4096"},
      {"--save_every_n_steps=-1", "an integer of at least 0"},
      {"--seed=-1", "an integer from 0 to 18446744073709551615"},
      {"--seed=18446744073709551616", "an integer from 0 to 18446744073709551615"},
      {"--train_batch_size=two", "an integer"},
      {"--lr_warmup_steps=-1", "a finite number of at least 0"},
      {"--lr_warmup_steps=1.5", "a whole number of steps, or a share of them below 1 (100%)"},
      {"--lr_warmup_steps=100%", "a whole number of steps, or a share of them below 1 (100%)"},
      {"--lr_decay_steps=-1", "a finite number of at least 0"},
      {"--lr_scheduler_num_cycles=0", "an integer from 1 to 1000000"},
      {"--lr_scheduler_power=nan", "a finite number of at least 0"},
      {"--lr_scheduler_timescale=0", "an integer from 1 to 4294967294"},
      {"--lr_scheduler_min_lr_ratio=1.5", "a number from 0 to 1"},
      {"--lr_scheduler_min_lr_ratio=-0.1", "a number from 0 to 1"},
      {"--lr_scheduler_min_lr_ratio=nan", "a finite number"},
  };
  for (const auto& [flag, allowed] : cases) EXPECT_EQ(train_error({flag}), flag + ": expected " + allowed);
  for (const char* words :
       {"betas=1,0.9", "betas=0.9", "betas=a,b", "eps=-1", "weight_decay=inf", "weight_decay"}) {
    EXPECT_TRUE(
        train_error({"--optimizer_args", words}).starts_with(std::string("--optimizer_args ") + words));
  }
}

TEST(Ranges, TakeTheirEnds) {
  EXPECT_EQ(parse({"--seed=18446744073709551615"}).settings.seed, UINT64_MAX);
  EXPECT_EQ(parse({"--seed=0"}).settings.seed, 0u);
  EXPECT_EQ(parse({"--max_denoising_steps=2"}).settings.max_denoising_steps, 2);
  EXPECT_EQ(parse({"--max_denoising_steps=1000"}).settings.max_denoising_steps, 1000);
  EXPECT_EQ(parse({"--network_alpha=0"}).settings.network_alpha, 0);
  EXPECT_EQ(parse({"--network_dropout=0.999"}).settings.network_dropout, 0.999);
}

TEST(Ranges, SavingEveryZeroStepsIsOff) {
  EXPECT_EQ(parse({"--save_every_n_steps=10"}).settings.save_every_n_steps, 10);
  EXPECT_FALSE(parse({"--save_every_n_steps=0"}).settings.save_every_n_steps.has_value());
}

TEST(Ranges, MinSnrGammaOfZeroIsOff) {
  EXPECT_EQ(parse({}).settings.min_snr_gamma, 0);
  EXPECT_EQ(parse({"--min_snr_gamma=0"}).settings.min_snr_gamma, 0);
  EXPECT_EQ(parse({"--min_snr_gamma=5"}).settings.min_snr_gamma, 5);
}

TEST(Ranges, WarmupIsStepsOrAShare) {
  const auto warmup = [](const std::string& value) {
    return parse(
               {"--lr_scheduler=constant_with_warmup", "--lr_warmup_steps=" + value, "--max_train_steps=200"})
        .settings.warmup_steps();
  };
  EXPECT_EQ(warmup("50"), 50);
  EXPECT_EQ(warmup("0.25"), 50);
  EXPECT_EQ(warmup("25%"), 50);
  EXPECT_EQ(warmup("0"), 0);
}

TEST(Text, MustBeReadable) {
  EXPECT_TRUE(
      contains(train_error({"--training_comment=\xff"}), "--training_comment: the text is not valid UTF-8"));
  EXPECT_TRUE(contains(train_error({"--training_comment=\xc0\x80"}), "not valid UTF-8"));
  EXPECT_TRUE(contains(train_error({"--output_name=\xed\xa0\x80"}), "not valid UTF-8"));
  EXPECT_EQ(parse({"--training_comment=größe 大 🎨"}).settings.training_comment, "größe 大 🎨");
}

TEST(Whole, NeedsPromptsModelAndFolder) {
  const auto without = [](size_t left_out) {
    Words words = kRequired;
    words.erase(words.begin() + static_cast<std::ptrdiff_t>(left_out));
    return error_of([&] { parse_train_flags(words, no_file); });
  };
  EXPECT_TRUE(without(0).starts_with("--pretrained_model_name_or_path is missing"));
  EXPECT_TRUE(without(1).starts_with("--prompts_file is missing"));
  EXPECT_TRUE(without(2).starts_with("--output_dir is missing"));
}

TEST(Whole, RefusesContradictions) {
  EXPECT_TRUE(contains(train_error({"--lr_warmup_steps=10"}), "contradicts --lr_scheduler=constant"));
  EXPECT_TRUE(contains(train_error({"--no_metadata", "--training_comment=x"}), "leave one of them out"));
}

TEST(Whole, RefusesOutputNamesThatAreNoFileName) {
  for (const char* name : {"", "a/b", "/tmp/x", ".", "..", "a\nb"}) {
    EXPECT_TRUE(
        contains(train_error({std::string("--output_name=") + name}), "expected a file name without '/'"));
  }
}

TEST(Whole, TensorboardNeedsAFolderAndWandbIsRefused) {
  EXPECT_TRUE(train_error({"--log_with=tensorboard"}).starts_with("--logging_dir is missing"));
  EXPECT_TRUE(
      contains(train_error({"--log_with=wandb", "--logging_dir=l"}), "no network service is spoken to"));
  EXPECT_TRUE(contains(train_error({"--log_with=all"}), "no network service is spoken to"));
  EXPECT_TRUE(contains(train_error({"--log_with=csv"}), "expected tensorboard"));
  EXPECT_TRUE(
      contains(train_error({"--logging_dir=l", "--log_prefix=a/b"}), "expected a file name without '/'"));
  EXPECT_EQ(parse({"--logging_dir=l", "--log_prefix=a-"}).notices, Words());
  EXPECT_EQ(parse({"--log_prefix=a-"}).notices,
            Words{"--log_prefix has no effect here: without --logging_dir there are no event files"});
}

TEST(Whole, PreviewsNeedPromptsAndSamplersHaveSdScriptsOtherNames) {
  EXPECT_TRUE(train_error({"--sample_every_n_steps=5"}).starts_with("--sample_prompts is missing"));
  EXPECT_TRUE(train_error({"--sample_at_first"}).starts_with("--sample_prompts is missing"));
  EXPECT_EQ(parse({"--sample_at_first", "--sample_prompts=p.txt"}).notices, Words());
  EXPECT_EQ(parse({"--sample_every_n_steps=0"}).settings.preview.every_n_steps, std::nullopt);
  EXPECT_EQ(parse({"--sample_sampler=k_euler_a"}).settings.preview.sampler, SamplerKind::kEulerA);
  EXPECT_TRUE(contains(train_error({"--sample_sampler=heun"}), "ddim"));
  EXPECT_EQ(
      parse({"--vae=v"}).notices,
      Words{"--vae has no effect here: previews are drawn with --sample_every_n_steps or --sample_at_first"});
}

TEST(Whole, SaysWhenAccumulationIsOverruled) {
  const auto notices = parse({"--gradient_accumulation_steps=4", "--pairs_per_step=8"}).notices;
  ASSERT_EQ(notices.size(), 1u);
  EXPECT_TRUE(contains(notices[0], "--gradient_accumulation_steps=4 has no effect here: --pairs_per_step=8"));
}

}  // namespace
}  // namespace leco
