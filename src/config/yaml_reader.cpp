#include "config/yaml_reader.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <optional>
#include <sstream>

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include "core/utf8.h"

namespace leco {
namespace {

using Kind = ConfigNode::Kind;

// yaml-cpp's names for a word without quotes and for one in quotes.
constexpr std::string_view kPlain = "?", kQuoted = "!";

template <size_t n>
bool one_of(const std::array<std::string_view, n>& words, std::string_view word) {
  return std::ranges::find(words, word) != words.end();
}

template <typename Number>
std::optional<Number> whole(std::string_view word) {
  if (word.starts_with('+')) word.remove_prefix(1);
  Number value{};
  const auto [end, failure] = std::from_chars(word.data(), word.data() + word.size(), value);
  if (failure != std::errc() || end != word.data() + word.size()) return std::nullopt;
  return value;
}

// 1, -2.5, .5, 1e-4; not 0x1f, 010, 1_000, nan or a date.
bool looks_like_a_number(std::string_view word) {
  if (word.starts_with('+') || word.starts_with('-')) word.remove_prefix(1);
  if (word.empty() || word.find_first_not_of("0123456789.eE+-") != std::string_view::npos) return false;
  const bool zero_first = word.size() > 1 && word[0] == '0' && word[1] >= '0' && word[1] <= '9';
  return !zero_first && (word[0] == '.' || (word[0] >= '0' && word[0] <= '9'));
}

ConfigNode plain_node(const std::string& word, int64_t line) {
  static constexpr std::array<std::string_view, 5> kNulls = {"", "~", "null", "Null", "NULL"};
  static constexpr std::array<std::string_view, 9> kOn = {"true", "True", "TRUE", "yes", "Yes",
                                                          "YES",  "on",   "On",   "ON"};
  static constexpr std::array<std::string_view, 9> kOff = {"false", "False", "FALSE", "no", "No",
                                                           "NO",    "off",   "Off",   "OFF"};
  static constexpr std::array<std::string_view, 7> kNoNumbers = {".inf",  "-.inf", "+.inf", ".Inf",
                                                                 "-.Inf", ".nan",  ".NaN"};
  ConfigNode node = text_node(word, line);
  if (one_of(kNulls, word)) {
    node.kind = Kind::kNothing;
  } else if (one_of(kOn, word) || one_of(kOff, word)) {
    node.kind = Kind::kFlag;
    node.flag = one_of(kOn, word);
  } else if (one_of(kNoNumbers, word)) {
    node.kind = Kind::kNumber;
    const double infinity = std::numeric_limits<double>::infinity();
    node.number = word.ends_with('f') ? (word.starts_with('-') ? -infinity : infinity)
                                      : std::numeric_limits<double>::quiet_NaN();
  } else if (looks_like_a_number(word)) {
    if (const auto integer = whole<int64_t>(word)) {
      node.kind = Kind::kInteger;
      node.integer = *integer;
    } else if (const auto number = whole<double>(word)) {
      node.kind = Kind::kNumber;
      node.number = *number;
    }
  }
  if (!node.is(Kind::kText)) node.text.clear();
  return node;
}

struct Size {
  int64_t nodes = 0, depth = 0;
};

Size size_of(const ConfigNode& node) {
  Size size{1, 0};
  const auto add = [&size](const ConfigNode& child) {
    const Size of_child = size_of(child);
    size.nodes += of_child.nodes;
    size.depth = std::max(size.depth, of_child.depth);
  };
  for (const ConfigNode& element : node.list) add(element);
  for (const ConfigEntry& entry : node.table) add(entry.value);
  if (node.is(Kind::kList) || node.is(Kind::kTable)) ++size.depth;
  return size;
}

// Builds the tree from yaml-cpp's events. yaml-cpp's own tree would share what aliases name, so that a walk
// over it need not end.
class TreeBuilder : public YAML::EventHandler {
 public:
  explicit TreeBuilder(const std::string& path) : path_(path) {}

  ConfigNode take() { return std::move(root_); }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (++documents_ > 1) refuse(mark, "a second document starts here ('---'); a file holds one");
  }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    if (wants_key()) refuse(mark, "a key is missing before ':', or is null");
    add(plain_node("", line_of(mark)), anchor, mark);
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    if (wants_key()) return take_key(mark, value);
    const bool is_text = tag == kQuoted || tag == "tag:yaml.org,2002:str";
    if (!is_text) check_tag(mark, tag, {"null", "bool", "int", "float"});
    add(is_text ? text_node(value, line_of(mark)) : plain_node(value, line_of(mark)), anchor, mark);
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    if (wants_key()) refuse(mark, "an alias stands where a key is expected");
    const auto named = anchored_.find(anchor);
    if (named == anchored_.end()) refuse(mark, "an alias stands inside of what it names");
    count(named->second, mark);
    add(named->second, 0, mark);
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value /*style*/) override {
    check_tag(mark, tag, {"seq"});
    open(Kind::kList, mark, anchor);
  }
  void OnSequenceEnd() override { close(); }

  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value /*style*/) override {
    check_tag(mark, tag, {"map"});
    open(Kind::kTable, mark, anchor);
  }
  void OnMapEnd() override { close(); }

 private:
  struct Open {
    ConfigNode node;
    YAML::anchor_t anchor = 0;
    YAML::Mark mark;
    bool has_key = false;                  // a key has come, and its value has not
    std::map<std::string, int64_t> lines;  // of the keys so far
  };

  static int64_t line_of(const YAML::Mark& mark) { return mark.line + 1; }

  [[noreturn]] void refuse(const YAML::Mark& mark, const std::string& what) const {
    fail_at(path_, line_of(mark), what);
  }

  void check_tag(const YAML::Mark& mark, const std::string& tag,
                 std::initializer_list<std::string_view> types) const {
    if (tag.empty() || tag == kPlain || tag == kQuoted) return;
    for (const std::string_view type : types)
      if (tag == fmt::format("tag:yaml.org,2002:{}", type)) return;
    refuse(mark, fmt::format("the tag '{}' is not read; write plain values", shown(tag)));
  }

  bool wants_key() const {
    return !open_.empty() && open_.back().node.is(Kind::kTable) && !open_.back().has_key;
  }

  void take_key(const YAML::Mark& mark, const std::string& key) {
    const auto [first, is_new] = open_.back().lines.emplace(key, line_of(mark));
    if (!is_new)
      refuse(mark,
             fmt::format("the key '{}' is set twice; the other is in line {}", shown(key), first->second));
    open_.back().node.table.push_back({key, line_of(mark), {}});
    open_.back().has_key = true;
  }

  void count(const ConfigNode& node, const YAML::Mark& mark) {
    const Size size = size_of(node);
    nodes_ += size.nodes;
    if (nodes_ > kMaxYamlNodes)
      refuse(mark, fmt::format("more than {} values, with what aliases stand for", kMaxYamlNodes));
    if (static_cast<int64_t>(open_.size()) + size.depth > kMaxConfigDepth) refuse_depth(mark);
  }

  [[noreturn]] void refuse_depth(const YAML::Mark& mark) const {
    refuse(mark, fmt::format("lists and tables deeper than {} levels; no prompt or settings file needs that",
                             kMaxConfigDepth));
  }

  void open(Kind kind, const YAML::Mark& mark, YAML::anchor_t anchor) {
    if (wants_key()) refuse(mark, "a list or table stands where a key is expected");
    if (static_cast<int64_t>(open_.size()) >= kMaxConfigDepth) refuse_depth(mark);
    Open opened;
    opened.node.kind = kind;
    opened.node.line = line_of(mark);
    opened.anchor = anchor;
    opened.mark = mark;
    open_.push_back(std::move(opened));
  }

  void close() {
    Open closed = std::move(open_.back());
    open_.pop_back();
    add(std::move(closed.node), closed.anchor, closed.mark);
  }

  void add(ConfigNode node, YAML::anchor_t anchor, const YAML::Mark& mark) {
    if (++nodes_ > kMaxYamlNodes) refuse(mark, fmt::format("more than {} values", kMaxYamlNodes));
    if (anchor != 0) {
      count(node, mark);
      anchored_[anchor] = node;
    }
    if (open_.empty()) {
      root_ = std::move(node);
    } else if (open_.back().node.is(Kind::kList)) {
      open_.back().node.list.push_back(std::move(node));
    } else {
      open_.back().node.table.back().value = std::move(node);
      open_.back().has_key = false;
    }
  }

  const std::string& path_;
  ConfigNode root_;
  std::vector<Open> open_;
  std::map<YAML::anchor_t, ConfigNode> anchored_;  // those that are complete
  int64_t nodes_ = 0;
  int documents_ = 0;
};

}  // namespace

ConfigNode parse_yaml(const std::string& path, std::string_view text) {
  check_config_bytes(path, text);
  if (!is_utf8(text) || text.find('\0') != std::string_view::npos)
    fail_at(path, 1, "the file is not UTF-8 text");
  TreeBuilder builder(path);
  try {
    // The document's end is written out: without it, yaml-cpp 0.7 takes a file that ends inside of quotes.
    std::istringstream in(fmt::format("{}{}...\n", text, text.ends_with('\n') ? "" : "\n"));
    YAML::Parser parser(in);
    while (parser.HandleNextDocument(builder)) {
    }
  } catch (const YAML::Exception& error) {
    std::string reason = error.msg;
    std::ranges::replace(reason, '\n', ' ');
    fail_at(path, error.mark.line + 1,
            fmt::format("column {}: not valid YAML: {}", error.mark.column + 1, reason));
  }
  ConfigNode root = builder.take();
  check_texts(path, root);
  return root;
}

}  // namespace leco
