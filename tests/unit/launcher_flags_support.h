// What the tests of the command line share.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "core/error.h"
#include "launcher/flags/flag_table.h"

namespace leco {

using Words = std::vector<std::string>;

inline const Words kRequired = {"--pretrained_model_name_or_path=model", "--prompts_file=p.toml",
                                "--output_dir=out"};

inline Words with_required(const Words& more) {
  Words all = kRequired;
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

inline std::string no_file(const std::string& path) {
  throw_usage("no such file: '" + path + "'");
}

inline ParsedTrain parse(const Words& words, const ReadFile& read = no_file) {
  return parse_train_flags(with_required(words), read);
}

// The text of the usage error; empty when there is none.
inline std::string error_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    EXPECT_EQ(error.status(), ExitStatus::kUsage);
    EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos)
        << "a message is one line: " << error.what();
    return error.what();
  }
  return "";
}

inline std::string train_error(const Words& words) {
  return error_of([&] { parse(words); });
}

inline bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace leco
