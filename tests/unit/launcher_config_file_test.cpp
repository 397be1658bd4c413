#include "tests/unit/launcher_flags_support.h"

namespace leco {
namespace {

// A file system of one file.
ReadFile holding(const std::string& contents, const std::string& path = "run.toml") {
  return [=](const std::string& wanted) { return wanted == path ? contents : no_file(wanted); };
}

std::string config_error(const std::string& contents) {
  return error_of([&] { parse({"--config_file=run.toml"}, holding(contents)); });
}

TEST(ConfigFile, GivesFlagsFromAnySection) {
  const auto parsed = parse({"--config_file=run.toml"}, holding(R"(
network_dim = 8
[training]
learning_rate = 1e-4
network_alpha = 4
seed = 7
no_metadata = true
xformers = true
save_state = false
[optimizer]
optimizer_type = "AdamW"
optimizer_args = ["weight_decay=0.1", "betas=0.9,0.99"]
lr_scheduler_args = []
)"));
  EXPECT_EQ(parsed.settings.network_dim, 8);
  EXPECT_EQ(parsed.settings.learning_rate, 1e-4);
  EXPECT_EQ(parsed.settings.network_alpha, 4);
  EXPECT_EQ(parsed.settings.seed, 7u);
  EXPECT_TRUE(parsed.settings.no_metadata);
  EXPECT_EQ(parsed.settings.optimizer.betas[1], 0.99);
  ASSERT_EQ(parsed.notices.size(), 1u);
  EXPECT_TRUE(parsed.notices[0].starts_with("run.toml, line 8: 'xformers = true' has no effect here: "));
}

TEST(ConfigFile, IsOverruledByTheCommandLineWhereverThatStands) {
  const auto read = holding("network_dim = 8\nnetwork_alpha = 4");
  EXPECT_EQ(parse({"--network_dim=16", "--config_file=run.toml"}, read).settings.network_dim, 16);
  EXPECT_EQ(parse({"--config_file=run.toml", "--network_dim=16"}, read).settings.network_dim, 16);
  EXPECT_EQ(parse({"--config_file=run.toml", "--network_dim=16"}, read).settings.network_alpha, 4);
}

TEST(ConfigFile, MayLeaveOffItsEnding) {
  EXPECT_EQ(parse({"--config_file=run"}, holding("network_dim = 8")).settings.network_dim, 8);
  EXPECT_EQ(error_of([] { parse({"--config_file=gone"}); }), "no such file: 'gone.toml'");
}

TEST(ConfigFile, GivesTheRequiredFlagsToo) {
  const auto parsed =
      parse_train_flags(Words{"--config_file=run.toml"},
                        holding("prompts_file = 'p'\noutput_dir = 'o'\npretrained_model_name_or_path = 'm'"));
  EXPECT_EQ(parsed.settings.output_dir, "o");
}

TEST(ConfigFile, NamesFileLineAndKeyOfEveryMistake) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"\nnetwork_dimm = 8", "run.toml, line 2: unknown key 'network_dimm'; did you mean 'network_dim'?"},
      {"[a]\nlearning = 1", "run.toml, line 2: unknown key 'learning'; did you mean 'learning_rate'?"},
      {"network_dim = '8'", "run.toml, line 1: 'network_dim' is the string \"8\"; expected an integer"},
      {"network_dim = 8.0", "run.toml, line 1: 'network_dim' is the number 8; expected an integer"},
      {"learning_rate = true", "run.toml, line 1: 'learning_rate' is true; expected a number"},
      {"no_metadata = 1", "run.toml, line 1: 'no_metadata' is the integer 1; expected true or false"},
      {"output_name = 1", "run.toml, line 1: 'output_name' is the integer 1; expected a string in quotes"},
      {"optimizer_args = 'eps=1'",
       "run.toml, line 1: 'optimizer_args' is the string \"eps=1\"; expected a list of strings"},
      {"optimizer_args = [1]", "run.toml, line 1: 'optimizer_args' is a list; expected a list of strings"},
      {"[a.network_dim]\nb = 1", "run.toml, line 1: 'network_dim' is a table; expected an integer"},
      {"[a]\nseed = 1\n[b]\nseed = 2",
       "run.toml, line 4: 'seed' is set twice; the other is in run.toml, line 2"},
      {"network_dim = -4", "run.toml, line 1: 'network_dim = -4': expected an integer from 1 to 16384"},
      {"learning_rate = nan",
       "run.toml, line 1: 'learning_rate = nan': expected a finite number of at least 0"},
      {"optimizer_args = ['eps=-1']",
       "run.toml, line 1: 'optimizer_args = eps=-1': expected for eps a number of at least 0"},
      {"config_file = 'b'",
       "run.toml, line 1: 'config_file' belongs on the command line, not into a file of flags"},
      {"output_config = true",
       "run.toml, line 1: 'output_config' belongs on the command line, not into a file of flags"},
      {"help = true", "run.toml, line 1: 'help' belongs on the command line, not into a file of flags"},
  };
  for (const auto& [contents, message] : cases) EXPECT_EQ(config_error(contents), message);
  EXPECT_TRUE(contains(config_error("a = \n"), "run.toml, line 1"));
  EXPECT_TRUE(contains(config_error("max_train_epochs = 3"), "'max_train_epochs = 3' is refused: "));
}

TEST(ConfigFile, ThatWouldEndTheParserIsRefusedBefore) {
  std::string key = "a";
  for (int i = 0; i < 100'000; ++i) key += ".a";
  EXPECT_FALSE(config_error(key + " = 1").empty());
  EXPECT_FALSE(config_error("# " + std::string(2'000'000, 'x')).empty());
}

// The file that --output_config writes, read again.
ParsedTrain read_back(const Words& words) {
  Words with_output = with_required(words);
  with_output.insert(with_output.end(), {"--config_file=run", "--output_config"});
  const ParsedTrain first = parse_train_flags(with_output, no_file);
  EXPECT_TRUE(first.output.has_value() && first.output->path == "run.toml");
  return parse_train_flags(Words{"--config_file=run"}, holding(first.output->text));
}

TEST(OutputConfig, GivesTheSameSettingsWhenItIsRead) {
  const Words words = {"--network_dim=8",
                       "--network_alpha",
                       ".5",
                       "--learning_rate=1E-4",
                       "--lr_scheduler=constant_with_warmup",
                       "--lr_warmup_steps=10%",
                       "--optimizer_args",
                       "betas=0.8,0.9",
                       "weight_decay=0.1",
                       "--no_metadata",
                       "--sdpa",
                       "--seed=7",
                       "--output_name=a \"b\" \\ größe",
                       "--xformers",
                       "--save_every_n_steps=0"};
  const ParsedTrain direct = parse(words), again = read_back(words);
  EXPECT_EQ(direct.effective, again.effective);
  ASSERT_EQ(again.notices.size(), 1u) << "what has no effect still says so";
  EXPECT_TRUE(contains(again.notices[0], "run.toml, line "));
}

TEST(OutputConfig, HoldsEveryKindOfFlagThatWorks) {
  for (const Flag& flag : listed_train_flags()) {
    if (flag.status != FlagStatus::kWorks || !flag.is_setting || flag.form.kind == ValueKind::kWords)
      continue;
    const std::string value = flag.form.kind == ValueKind::kSwitch ? "true"
                              : !flag.form.choices.empty()         ? flag.form.choices.back()
                              : flag.form.kind == ValueKind::kText ? "word"
                                                                   : "1";
    const Words words = {"--" + flag.name + "=" + value};
    if (!error_of([&] { parse(words); }).empty()) continue;  // not alone, or not 1
    EXPECT_EQ(parse(words).effective, read_back(words).effective) << flag.name;
  }
}

TEST(OutputConfig, ChecksValuesAndLeavesOutWhatIsNoSetting) {
  const auto output = [](const Words& words) {
    return parse_train_flags(words, no_file).output.value().text;
  };
  EXPECT_EQ(output({"--config_file=a.toml", "--output_config", "--network_dim=8"}),
            "# LoRA\nnetwork_dim = 8\n")
      << "a file may hold a part of what a run needs, and nothing that was not given";
  EXPECT_EQ(error_of([] { parse_train_flags(Words{"--output_config"}, no_file); }),
            "--output_config needs --config_file=FILE, the name of the file to write");
  EXPECT_TRUE(contains(error_of([&] {
                         output({"--config_file=a", "--output_config", "--network_dim=0"});
                       }),
                       "--network_dim=0: expected"));
}

TEST(OutputConfig, PutsASeedInQuotesThatTomlsIntegersDoNotHold) {
  const std::string text =
      parse_train_flags(Words{"--config_file=a.toml", "--output_config", "--seed=18446744073709551615"},
                        no_file)
          .output.value()
          .text;
  EXPECT_TRUE(contains(text, "seed = \"18446744073709551615\"")) << text;
  EXPECT_EQ(parse({"--config_file=run.toml"}, holding(text)).settings.seed, 18446744073709551615u);
  EXPECT_TRUE(contains(config_error("seed = \"7\""), "expected an integer"));
  EXPECT_TRUE(contains(config_error("seed = \"18446744073709551616\""), "expected an integer"));
}

}  // namespace
}  // namespace leco
