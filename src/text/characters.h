// Unicode as the `tokenizers` library sees it (0.22, behind transformers 4.57.1), whatever ICU the program is
// linked with. That library mixes tables of three ages: normalization of Unicode 9, letters and numbers of
// Unicode 16, lower case of Unicode 17. ICU is narrowed to those ages, and what an older ICU lacks is listed
// in characters.cpp. Checked against the library for every code point and for 5.6 million sequences of
// combining marks.
#pragma once

#include <string>
#include <string_view>

namespace leco {

// Throws a usage error that names the first byte that is not valid UTF-8.
std::u32string decode_utf8(std::string_view text);

std::string encode_utf8(std::u32string_view text);

// Broken sequences become U+FFFD: for texts that are shown, such as a prompt that was cut inside a character.
std::string repair_utf8(std::string_view text);

// CLIP's normalization: NFC, then each run of white space becomes one space, then lower case, character by
// character (İ becomes i and a combining dot; a sigma is σ also at the end of a word).
std::u32string normalize_for_clip(std::u32string_view text);

bool is_letter(char32_t c);       // \p{L}
bool is_number(char32_t c);       // \p{N}
bool is_white_space(char32_t c);  // \s

}  // namespace leco
