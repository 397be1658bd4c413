// The neutral prompts of sliders: lists, text files, single prompts, and which of them count.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "config/prompt_keys.h"
#include "core/read_file.h"

namespace leco {

class NeutralPrompts {
 public:
  // `read` must outlive this object; each file is read once, when the first slider needs it.
  explicit NeutralPrompts(const ReadFile& read) : read_(read) {}

  // The prompts of one slider, one or more. `own` is its entry (nullptr: the slider is written at the outer
  // levels). The entry's neutrals, else its file, else its neutral; else the outer neutrals and both files
  // together, else the outer neutral, else "".
  std::vector<std::string> of(const ConfigTable* own, const Levels& outer, Notices& notices);

 private:
  const std::vector<std::string>& file(const ConfigTable& table, std::string_view key, Notices& notices);

  const ReadFile& read_;
  std::map<std::string, std::vector<std::string>> files_;  // by path
};

}  // namespace leco
