// Reads a pickle as what it is, a description: no value in it is ever made, called or imported.
//
// The opcodes are those of protocol 2, which torch.save writes, and the few of protocol 4 that say the same
// in other words (CPython's Lib/pickletools.py describes each). A call becomes a value that says what would
// be called with which arguments; whether that means anything is the caller's business
// (torch_checkpoint.cpp). Values are numbered and lie in one table, so that neither depth nor cycles nor
// shared values cost anything.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

namespace leco {

struct PickleValue {
  enum class Kind : uint8_t {
    kNone,
    kBool,     // integer 0 or 1
    kInteger,  // of 64 bits
    kOther,    // a number that is none of these: floating point, or longer
    kText,
    kBytes,
    kTuple,
    kList,
    kDict,        // items: key, value, key, value, …
    kGlobal,      // text: "module.name"
    kObject,      // made by calling `callee`, a kGlobal, with `arguments`, a kTuple; items as kDict or kList
    kPersistent,  // a thing kept outside the pickle; `arguments` says which
  };
  Kind kind = Kind::kNone;
  int64_t integer = 0;
  std::string_view text = {};        // a view of the pickle or of the names beside the table
  std::vector<uint32_t> items = {};  // numbers of values
  uint32_t callee = 0;
  uint32_t arguments = 0;
  uint32_t depth = 0;  // of what it held when it was made or added to
};

class Pickle {
 public:
  // Says whether "module.name" may be mentioned at all.
  using IsKnown = std::function<bool(std::string_view name)>;

  // `bytes` must outlive the result. Throws a usage error that names `origin`, the place and what is wrong:
  // a name that is not known or not printable ASCII (and the name), another opcode, a pickle that is cut off
  // or goes on behind its end, more than 32 MiB, 4,000,000 values, 1,000 open marks, or a depth of 200.
  Pickle(std::string_view bytes, const std::string& origin, const IsKnown& is_known);

  const PickleValue& root() const { return values_[root_]; }
  const PickleValue& at(uint32_t number) const { return values_.at(number); }

 private:
  friend class PickleReader;
  std::vector<PickleValue> values_;
  std::unordered_set<std::string> names_;  // of globals
  uint32_t root_ = 0;
};

}  // namespace leco
