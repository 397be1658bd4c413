// One finding about the machine before a long run: what was looked at, how it stands, and what to do about
// it.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace leco {

enum class Verdict {
  kOk,
  kWarning,  // a run works, but slower, less safely or otherwise than one would expect
  kFailed,   // a run will not work, or its result cannot be trusted
};

struct Check {
  std::string name;  // a few letters: "GPU link"
  Verdict verdict = Verdict::kOk;
  std::string found;        // what is so, in one line
  std::string advice = {};  // what to do; empty where all is well
};

std::string_view verdict_word(Verdict verdict);  // "ok", "warning", "failed"

// The check, or a failed one with the text of whatever the work threw: the next checks still run.
Check guarded(const std::string& name, const std::function<Check()>& work);

std::string size_text(int64_t bytes);  // "79.6 GiB", "60 MiB"

}  // namespace leco
