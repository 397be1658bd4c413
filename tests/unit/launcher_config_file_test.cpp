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

}  // namespace
}  // namespace leco
