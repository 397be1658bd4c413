// What must be the same on all ranks so that an item has the same bits wherever it is computed.
#pragma once

#include <string>
#include <vector>

#include "health/check.h"

namespace leco {

struct Fact {
  std::string name;            // "libtorch"
  std::string value;           // "2.11.0"
  bool decides_result = true;  // false: a difference is only worth knowing
};

// Mine against rank 0's; the first difference that decides the result, else the first difference.
Check compare_facts(const std::vector<Fact>& mine, const std::vector<Fact>& first);

// For sending: a line a fact.
std::string facts_as_text(const std::vector<Fact>& facts);
std::vector<Fact> facts_from_text(const std::string& text);

// The linker's identity of this very program: the same only for the same build. Empty where it was linked
// without one.
std::string build_id();

}  // namespace leco
