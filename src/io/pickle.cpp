#include "io/pickle.h"

#include <fmt/format.h>

#include <algorithm>
#include <span>

#include "core/error.h"
#include "io/pickle_opcodes.h"

namespace leco {
namespace {

using Kind = PickleValue::Kind;

constexpr uint64_t kMaxBytes = 32 << 20;
constexpr size_t kMaxValues = 4'000'000;
constexpr size_t kMaxMarks = 1'000;
constexpr uint32_t kMaxDepth = 200;
constexpr size_t kMaxNameBytes = 256;

bool is_odd(unsigned char byte) {
  return byte < 0x20 || byte >= 0x7f;
}

// Long or odd text from the file, fit for a message of one line.
std::string shown(std::string_view text) {
  constexpr size_t kShown = 100;
  std::string result(text.substr(0, kShown));
  std::ranges::replace_if(result, is_odd, '?');
  return text.size() > kShown ? result + "…" : result;
}

}  // namespace

class PickleReader {
 public:
  PickleReader(std::string_view bytes, const std::string& origin, const Pickle::IsKnown& is_known,
               Pickle& result)
      : bytes_(bytes), origin_(origin), is_known_(is_known), values_(result.values_), names_(result.names_) {}

  uint32_t read() {
    if (bytes_.size() > kMaxBytes) {
      reject(fmt::format("it has {} bytes, at most {} are allowed", bytes_.size(), kMaxBytes));
    }
    if (bytes_.empty() || static_cast<unsigned char>(bytes_[0]) != kProto) {
      reject("it does not begin with a protocol number");
    }
    for (;;) {
      begin_ = at_;
      const auto opcode = static_cast<unsigned char>(take(1)[0]);
      if (opcode == kStop) break;
      if (!(structure(opcode) || simple_value(opcode) || collection(opcode) || object(opcode))) {
        reject(fmt::format("opcode 0x{:02x}, which torch.save does not write", opcode));
      }
    }
    const uint32_t root = pop();
    if (!stack_.empty() || !marks_.empty()) reject("values are left over at its end");
    if (at_ != bytes_.size()) reject("something follows its end");
    return root;
  }

 private:
  [[noreturn]] void reject(const std::string& what) const {
    throw_usage(fmt::format("'{}' has a pickle that is not read, at byte {}: {}", origin_, begin_, what));
  }

  std::string_view take(uint64_t count) {
    if (count > bytes_.size() - at_) {
      reject(fmt::format("it is cut off: {} bytes are needed, {} are left", count, bytes_.size() - at_));
    }
    at_ += count;
    return bytes_.substr(at_ - count, count);
  }

  uint64_t take_number(int bytes) {
    const std::string_view raw = take(bytes);
    uint64_t value = 0;
    for (int i = 0; i < bytes; ++i) value |= uint64_t{static_cast<unsigned char>(raw[i])} << 8 * i;
    return value;
  }

  std::string_view take_line() {
    const size_t end = bytes_.find('\n', at_);
    if (end == std::string_view::npos) reject("it is cut off in a name");
    const std::string_view line = take(end - at_);
    take(1);
    return line;
  }

  uint32_t add(PickleValue value) {
    if (values_.size() >= kMaxValues) reject(fmt::format("more than {} values", kMaxValues));
    values_.push_back(std::move(value));
    return static_cast<uint32_t>(values_.size() - 1);
  }

  void push(PickleValue value) { stack_.push_back(add(std::move(value))); }

  // Values below the last mark are out of reach, as in CPython.
  uint32_t top() const {
    if (stack_.size() <= (marks_.empty() ? 0 : marks_.back())) reject("a value is missing on its stack");
    return stack_.back();
  }

  uint32_t pop() {
    const uint32_t value = top();
    stack_.pop_back();
    return value;
  }

  std::vector<uint32_t> pop_to_mark() {
    if (marks_.empty()) reject("a mark is missing on its stack");
    std::vector<uint32_t> items(stack_.begin() + static_cast<ptrdiff_t>(marks_.back()), stack_.end());
    stack_.resize(marks_.back());
    marks_.pop_back();
    return items;
  }

  void remember(uint64_t index) {
    if (index >= kMaxValues) reject(fmt::format("memo place {}, at most {} are allowed", index, kMaxValues));
    if (index >= memo_.size()) memo_.resize(index + 1, kUnset);
    memo_[index] = top();
    ++remembered_;
  }

  void recall(uint64_t index) {
    if (index >= memo_.size() || memo_[index] == kUnset) reject(fmt::format("memo place {} is empty", index));
    if (stack_.size() >= kMaxValues) reject(fmt::format("more than {} values on its stack", kMaxValues));
    stack_.push_back(memo_[index]);
  }

  void hold(PickleValue& holder, std::span<const uint32_t> held) const {
    for (const uint32_t each : held) holder.depth = std::max(holder.depth, values_[each].depth + 1);
    if (holder.depth > kMaxDepth) reject(fmt::format("nesting deeper than {}", kMaxDepth));
  }

  bool structure(unsigned char opcode) {
    switch (opcode) {
      case kProto:
        if (const uint64_t protocol = take_number(1); protocol < 2 || protocol > 5) {
          reject(fmt::format("protocol {}, torch.save writes 2", protocol));
        }
        return true;
      case kFrame:
        take_number(8);
        return true;  // a hint for readers of streams
      case kMark:
        if (marks_.size() >= kMaxMarks) reject(fmt::format("more than {} open marks", kMaxMarks));
        marks_.push_back(stack_.size());
        return true;
      case kPop:
        pop();
        return true;
      case kPopMark:
        pop_to_mark();
        return true;
      case kBinPut:
        remember(take_number(1));
        return true;
      case kLongBinPut:
        remember(take_number(4));
        return true;
      case kMemoize:
        remember(remembered_);
        return true;
      case kBinGet:
        recall(take_number(1));
        return true;
      case kLongBinGet:
        recall(take_number(4));
        return true;
      default:
        return false;
    }
  }

  bool simple_value(unsigned char opcode) {
    switch (opcode) {
      case kNone:
        push({});
        return true;
      case kNewTrue:
        push({.kind = Kind::kBool, .integer = 1});
        return true;
      case kNewFalse:
        push({.kind = Kind::kBool});
        return true;
      case kBinInt:
        push_integer(static_cast<int32_t>(take_number(4)));
        return true;
      case kBinInt1:
        push_integer(static_cast<int64_t>(take_number(1)));
        return true;
      case kBinInt2:
        push_integer(static_cast<int64_t>(take_number(2)));
        return true;
      case kLong1:
        push_long(take(take_number(1)));
        return true;
      case kBinFloat:
        take(8);
        push({.kind = Kind::kOther});
        return true;
      case kShortBinUnicode:
        push_text(Kind::kText, 1);
        return true;
      case kBinUnicode:
        push_text(Kind::kText, 4);
        return true;
      case kBinUnicode8:
        push_text(Kind::kText, 8);
        return true;
      case kShortBinString:
        push_text(Kind::kText, 1);
        return true;  // what Python 2 called a string
      case kBinString:
        push_text(Kind::kText, 4);
        return true;
      case kShortBinBytes:
        push_text(Kind::kBytes, 1);
        return true;
      case kBinBytes:
        push_text(Kind::kBytes, 4);
        return true;
      default:
        return false;
    }
  }

  void push_integer(int64_t value) { push({.kind = Kind::kInteger, .integer = value}); }

  void push_text(Kind kind, int length_bytes) {
    push({.kind = kind, .text = take(take_number(length_bytes))});
  }

  // Two's complement, lowest byte first.
  void push_long(std::string_view raw) {
    if (raw.size() > sizeof(int64_t)) return push({.kind = Kind::kOther});
    const bool is_negative = !raw.empty() && static_cast<unsigned char>(raw.back()) >= 0x80;
    uint64_t value = is_negative ? ~uint64_t{0} : 0;
    for (size_t i = 0; i < raw.size(); ++i) {
      value &= ~(uint64_t{0xff} << 8 * i);
      value |= uint64_t{static_cast<unsigned char>(raw[i])} << 8 * i;
    }
    push_integer(static_cast<int64_t>(value));
  }

  bool collection(unsigned char opcode) {
    switch (opcode) {
      case kEmptyTuple:
        push({.kind = Kind::kTuple});
        return true;
      case kTuple:
        push_tuple(pop_to_mark());
        return true;
      case kTuple1:
      case kTuple2:
      case kTuple3:
        push_tuple(pop_last(opcode - kTuple1 + 1));
        return true;
      case kEmptyList:
        push({.kind = Kind::kList});
        return true;
      case kAppend:
        extend(Kind::kList, pop_last(1));
        return true;
      case kAppends:
        extend(Kind::kList, pop_to_mark());
        return true;
      case kEmptyDict:
        push({.kind = Kind::kDict});
        return true;
      case kSetItem:
        extend(Kind::kDict, pop_last(2));
        return true;
      case kSetItems:
        extend(Kind::kDict, pop_to_mark());
        return true;
      default:
        return false;
    }
  }

  std::vector<uint32_t> pop_last(int count) {
    std::vector<uint32_t> items(count);
    for (int i = count; i-- > 0;) items[i] = pop();
    return items;
  }

  void push_tuple(std::vector<uint32_t> items) {
    PickleValue tuple{.kind = Kind::kTuple};
    hold(tuple, items);
    tuple.items = std::move(items);
    push(std::move(tuple));
  }

  // Adds to the list or dict on the stack, or to an object, which may be a kind of either.
  void extend(Kind kind, const std::vector<uint32_t>& items) {
    PickleValue& holder = values_[top()];
    if (holder.kind != kind && holder.kind != Kind::kObject) reject("items are added to what holds none");
    if (kind == Kind::kDict && items.size() % 2 != 0) reject("a key comes without a value");
    hold(holder, items);
    holder.items.insert(holder.items.end(), items.begin(), items.end());
  }

  bool object(unsigned char opcode) {
    switch (opcode) {
      case kGlobal: {
        const std::string_view module = take_line();
        push_global(module, take_line());
        return true;
      }
      case kStackGlobal: {
        const std::vector<uint32_t> names = pop_last(2);
        for (const uint32_t each : names) {
          if (values_[each].kind != Kind::kText) reject("a global's name is no text");
        }
        push_global(values_[names[0]].text, values_[names[1]].text);
        return true;
      }
      case kInst: {
        const std::string_view module = take_line();
        push_global(module, take_line());
        reject(
            fmt::format("an instance of '{}' in a form that torch.save does not write", values_[top()].text));
      }
      case kReduce:
      case kNewObj:
        push_object(pop_last(2));
        return true;
      case kBuild:
        build();
        return true;
      case kBinPersId: {
        PickleValue outside{.kind = Kind::kPersistent, .arguments = pop()};
        hold(outside, {&outside.arguments, 1});
        push(std::move(outside));
        return true;
      }
      default:
        return false;
    }
  }

  void push_global(std::string_view module, std::string_view name) {
    std::string full = fmt::format("{}.{}", module, name);
    if (full.size() > kMaxNameBytes || std::ranges::any_of(full, is_odd) || !is_known_(full)) {
      reject(fmt::format(
          "it asks for '{}'; only tensors and what commonly lies beside them are read, never code "
          "(convert the file to safetensors where you trust it)",
          shown(full)));
    }
    push({.kind = Kind::kGlobal, .text = *names_.insert(std::move(full)).first});
  }

  void push_object(const std::vector<uint32_t>& parts) {
    if (values_[parts[0]].kind != Kind::kGlobal) reject("something is called that is no global");
    if (values_[parts[1]].kind != Kind::kTuple) reject("the arguments of a call are no tuple");
    PickleValue made{.kind = Kind::kObject, .callee = parts[0], .arguments = parts[1]};
    hold(made, parts);
    push(std::move(made));
  }

  // Attributes of an object, or what its class would be told by __setstate__: nothing that is read here.
  void build() {
    pop();
    if (values_[top()].kind != Kind::kObject) reject("a state is given to what is no object");
  }

  static constexpr uint32_t kUnset = ~uint32_t{0};

  std::string_view bytes_;
  const std::string& origin_;
  const Pickle::IsKnown& is_known_;
  std::vector<PickleValue>& values_;
  std::unordered_set<std::string>& names_;
  uint64_t at_ = 0;
  uint64_t begin_ = 0;  // of the current opcode
  uint64_t remembered_ = 0;
  std::vector<uint32_t> stack_;
  std::vector<size_t> marks_;  // sizes of the stack
  std::vector<uint32_t> memo_;
};

Pickle::Pickle(std::string_view bytes, const std::string& origin, const IsKnown& is_known) {
  root_ = PickleReader(bytes, origin, is_known, *this).read();
}

}  // namespace leco
