#include "text/characters.h"

#include <fmt/format.h>
#include <unicode/normalizer2.h>
#include <unicode/uchar.h>
#include <unicode/uniset.h>
#include <unicode/unistr.h>
#include <unicode/utf8.h>

#include <span>

#include "core/error.h"

namespace leco {
namespace {

struct Range {
  char32_t first, last;
};

// What Unicode 15, 15.1 and 16 added: ICU 70 and 72, which Ubuntu 22.04 and Debian 12 carry, do not know (all
// of) it.
constexpr Range kNewLetters[] = {
    {0x1C89, 0x1C8A},   {0xA7CB, 0xA7CD},   {0xA7DA, 0xA7DC},   {0x105C0, 0x105F3}, {0x10D4A, 0x10D65},
    {0x10D6F, 0x10D85}, {0x10EC2, 0x10EC4}, {0x1123F, 0x11240}, {0x11380, 0x11389}, {0x1138B, 0x1138B},
    {0x1138E, 0x1138E}, {0x11390, 0x113B5}, {0x113B7, 0x113B7}, {0x113D1, 0x113D1}, {0x113D3, 0x113D3},
    {0x11BC0, 0x11BE0}, {0x11F02, 0x11F02}, {0x11F04, 0x11F10}, {0x11F12, 0x11F33}, {0x1342F, 0x1342F},
    {0x13441, 0x13446}, {0x13460, 0x143FA}, {0x16100, 0x1611D}, {0x16D40, 0x16D6C}, {0x18CFF, 0x18CFF},
    {0x1B132, 0x1B132}, {0x1B155, 0x1B155}, {0x1DF25, 0x1DF2A}, {0x1E030, 0x1E06D}, {0x1E4D0, 0x1E4EB},
    {0x1E5D0, 0x1E5ED}, {0x1E5F0, 0x1E5F0}, {0x2B739, 0x2B739}, {0x2EBF0, 0x2EE5D}, {0x31350, 0x323AF}};
constexpr Range kNewNumbers[] = {
    {0x10D40, 0x10D49}, {0x116D0, 0x116E3}, {0x11BF0, 0x11BF9}, {0x11F50, 0x11F59}, {0x16130, 0x16139},
    {0x16D70, 0x16D79}, {0x1CCF0, 0x1CCF9}, {0x1D2C0, 0x1D2D3}, {0x1E4F0, 0x1E4F9}, {0x1E5F1, 0x1E5FA}};

// Capitals that Unicode 16 and 17 added, with the lower case of the first; the others follow in step.
struct NewCapitals {
  char32_t first, last, lower;
};
constexpr NewCapitals kNewCapitals[] = {{0x1C89, 0x1C89, 0x1C8A},    {0xA7CB, 0xA7CB, 0x0264},
                                        {0xA7CC, 0xA7CC, 0xA7CD},    {0xA7CE, 0xA7CE, 0xA7CF},
                                        {0xA7D2, 0xA7D2, 0xA7D3},    {0xA7D4, 0xA7D4, 0xA7D5},
                                        {0xA7DA, 0xA7DA, 0xA7DB},    {0xA7DC, 0xA7DC, 0x019B},
                                        {0x10D50, 0x10D65, 0x10D70}, {0x16EA0, 0x16EB8, 0x16EBB}};

void check(UErrorCode status) {
  if (U_FAILURE(status)) throw Error(fmt::format("ICU: {}", u_errorName(status)));
}

icu::UnicodeSet unicode_set(const char16_t* pattern, std::span<const Range> added = {}) {
  UErrorCode status = U_ZERO_ERROR;
  icu::UnicodeSet set(pattern, status);
  check(status);
  for (const Range& range : added) {
    set.add(static_cast<UChar32>(range.first), static_cast<UChar32>(range.last));
  }
  set.freeze();
  return set;
}

const icu::Normalizer2& nfc() {
  UErrorCode status = U_ZERO_ERROR;
  const icu::Normalizer2* instance = icu::Normalizer2::getNFCInstance(status);
  check(status);
  return *instance;
}

char32_t to_lower(char32_t c) {
  for (const NewCapitals& capitals : kNewCapitals) {
    if (c >= capitals.first && c <= capitals.last) return capitals.lower + (c - capitals.first);
  }
  static const icu::UnicodeSet known = unicode_set(u"[:age=17.0:]");
  const auto code = static_cast<UChar32>(c);
  return known.contains(code) ? static_cast<char32_t>(u_tolower(code)) : c;
}

std::u32string to_utf32(const icu::UnicodeString& text) {
  std::u32string result;
  result.reserve(static_cast<size_t>(text.length()));
  for (int32_t i = 0; i < text.length(); i = text.moveIndex32(i, 1)) {
    result.push_back(static_cast<char32_t>(text.char32At(i)));
  }
  return result;
}

icu::UnicodeString from_utf32(std::u32string_view text) {
  return icu::UnicodeString::fromUTF32(reinterpret_cast<const UChar32*>(text.data()),
                                       static_cast<int32_t>(text.size()));
}

// Characters younger than Unicode 9 pass unchanged and join nothing, as in a table that does not have them.
std::u32string compose(std::u32string_view text) {
  static const icu::UnicodeSet known = unicode_set(u"[:age=9.0:]");
  static const icu::FilteredNormalizer2 normalizer(nfc(), known);
  UErrorCode status = U_ZERO_ERROR;
  icu::UnicodeString composed;
  normalizer.normalize(from_utf32(text), composed, status);
  check(status);
  return to_utf32(composed);
}

}  // namespace

std::u32string decode_utf8(std::string_view text) {
  if (text.size() > INT32_MAX) throw_usage("a text of more than 2 GB is no prompt");
  const auto size = static_cast<int32_t>(text.size());
  std::u32string result;
  for (int32_t at = 0; at < size;) {
    const int32_t begin = at;
    UChar32 c = 0;
    U8_NEXT(text.data(), at, size, c);
    if (c < 0) {
      throw_usage(
          fmt::format("the prompt '{}' is not valid UTF-8 at byte {} (0x{:02X}); save the file as UTF-8",
                      repair_utf8(text), begin, static_cast<unsigned char>(text[begin])));
    }
    result.push_back(static_cast<char32_t>(c));
  }
  return result;
}

std::string encode_utf8(std::u32string_view text) {
  std::string result;
  from_utf32(text).toUTF8String(result);
  return result;
}

std::string repair_utf8(std::string_view text) {
  std::string result;
  icu::UnicodeString::fromUTF8(icu::StringPiece(text.data(), static_cast<int32_t>(text.size())))
      .toUTF8String(result);
  return result;
}

std::u32string normalize_for_clip(std::u32string_view text) {
  constexpr char32_t kCapitalIWithDot = 0x130;  // the one character whose lower case is two characters
  std::u32string result;
  bool in_space = false;
  for (const char32_t c : compose(text)) {
    const bool space = is_white_space(c);
    if (space && !in_space) result.push_back(U' ');
    in_space = space;
    if (space) continue;
    if (c == kCapitalIWithDot) {
      result += U"i\u0307";
    } else {
      result.push_back(to_lower(c));
    }
  }
  return result;
}

bool is_letter(char32_t c) {
  static const icu::UnicodeSet letters = unicode_set(u"[[:L:]&[:age=16.0:]]", kNewLetters);
  return letters.contains(static_cast<UChar32>(c));
}

bool is_number(char32_t c) {
  static const icu::UnicodeSet numbers = unicode_set(u"[[:N:]&[:age=16.0:]]", kNewNumbers);
  return numbers.contains(static_cast<UChar32>(c));
}

bool is_white_space(char32_t c) {
  return u_isUWhiteSpace(static_cast<UChar32>(c));
}

}  // namespace leco
