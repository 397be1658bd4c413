#include "config/toml_scan.h"

#include <algorithm>

#include <fmt/format.h>

#include "config/config_node.h"
#include "core/error.h"

namespace leco {
namespace {

// Walks over the characters that are neither in strings nor in comments. Strings that are left open end with
// their line (those in single quotes) or with the text (those in triple quotes), where the parser reports
// them.
class Scanner {
 public:
  Scanner(const std::string& path, std::string_view text) : path_(path), text_(text) {}

  void run() {
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == '#') {
        at_ = std::min(text_.find('\n', at_), text_.size());
      } else if (c == '"' || c == '\'') {
        skip_string(c);
      } else {
        count(c);
        ++at_;
      }
    }
  }

 private:
  // A value holds one dot at most (1.5), so that dots between two separators measure a key.
  void count(char c) {
    switch (c) {
      case '\n':
        ++line_;
        [[fallthrough]];
      case '=':
      case ',':
        dots_ = 0;
        break;
      case '[':
      case '{':
        dots_ = 0;
        if (++depth_ > kMaxConfigDepth) refuse("lists and tables");
        break;
      case ']':
      case '}':
        dots_ = 0;
        depth_ = std::max<int64_t>(depth_ - 1, 0);
        break;
      case '.':
        if (++dots_ >= kMaxConfigDepth) refuse("a dotted key");
        break;
      default:
        break;
    }
  }

  void skip_string(char quote) {
    const std::string triple(3, quote);
    const bool multi_line = text_.substr(at_, 3) == triple;
    at_ += multi_line ? 3 : 1;
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == '\n' && !multi_line) return;
      if (multi_line && text_.substr(at_, 3) == triple) {
        at_ += 3;
        // Up to two quotes directly before the closing three belong to the string.
        for (int extra = 0; extra < 2 && at_ < text_.size() && text_[at_] == quote; ++extra) ++at_;
        return;
      }
      if (c == '\n') ++line_;
      ++at_;
      if (c == quote && !multi_line) return;
      if (c == '\\' && quote == '"' && at_ < text_.size() && text_[at_] != '\n') ++at_;
    }
  }

  [[noreturn]] void refuse(const char* what) const {
    throw_usage(fmt::format("{}, line {}: {} deeper than {} levels; no prompt or settings file needs that",
                            path_, line_, what, kMaxConfigDepth));
  }

  const std::string& path_;
  std::string_view text_;
  size_t at_ = 0;
  int64_t line_ = 1;
  int64_t depth_ = 0;
  int64_t dots_ = 0;
};

}  // namespace

void check_toml_limits(const std::string& path, std::string_view text) {
  check_config_bytes(path, text);
  Scanner(path, text).run();
}

}  // namespace leco
