// The tokenizer of models that come without one: CLIP's, which all of them share, and how each pads.
#pragma once

#include <string>

#include "io/file_source.h"
#include "text/tokenizer_files.h"

namespace leco {

// The texts of the tokenizer that the published Diffusers folders carry, built into the program. SD 1.x and
// SDXL's first encoder pad with the end token; `pads_with_zero`, SD 2.x and SDXL's second encoder: with token
// 0, "!", which is then a special token wherever it is written.
TokenizerFiles clip_tokenizer(bool pads_with_zero);

// The texts of a folder that holds vocab.json and merges.txt, and may hold tokenizer_config.json,
// special_tokens_map.json and added_tokens.json. Throws a usage error that names the missing file.
TokenizerFiles read_tokenizer_folder(FileSource& files, const std::string& folder);

}  // namespace leco
