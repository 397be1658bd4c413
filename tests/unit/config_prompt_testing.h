// Prompt files as strings, for the tests of src/config.
#pragma once

#include <map>
#include <string>

#include "config/prompt_file.h"
#include "core/error.h"

namespace leco {

constexpr const char* kPromptPath = "dir/p.toml";

// A file system of strings; `files` beside the prompt file.
inline ReadFile read_from(std::map<std::string, std::string> files) {
  return [files = std::move(files)](const std::string& path) {
    const auto found = files.find(path);
    if (found == files.end()) throw_usage("no such file: '" + path + "'");
    return found->second;
  };
}

inline PromptFile load(const std::string& toml, std::map<std::string, std::string> files = {}) {
  files[kPromptPath] = toml;
  return load_prompt_file(kPromptPath, read_from(std::move(files)));
}

inline PromptFile load_yaml(const std::string& yaml, std::map<std::string, std::string> files = {}) {
  files["dir/p.yaml"] = yaml;
  return load_prompt_file("dir/p.yaml", read_from(std::move(files)));
}

// The message of the usage error, or what happened instead.
inline std::string refusal(const std::string& toml, std::map<std::string, std::string> files = {},
                           const std::string& path = kPromptPath) {
  files[path] = toml;
  try {
    load_prompt_file(path, read_from(std::move(files)));
  } catch (const Error& error) {
    return error.status() == ExitStatus::kUsage ? error.what()
                                                : std::string("not a usage error: ") + error.what();
  }
  return "accepted";
}

// "positive|unconditional|neutral|action multiplier HxW": what a slider's expansion varies.
inline std::string summary(const PromptPair& pair) {
  return pair.positive + "|" + pair.unconditional + "|" + pair.neutral + "|" +
         (pair.action == Action::kErase ? "erase " : "enhance ") + (pair.multiplier < 0 ? "-" : "+") + " " +
         std::to_string(pair.resolution.height) + "x" + std::to_string(pair.resolution.width);
}

inline std::vector<std::string> summaries(const PromptFile& file) {
  std::vector<std::string> lines;
  for (const PromptPair& pair : file.pairs) lines.push_back(summary(pair));
  return lines;
}

}  // namespace leco
