#include "health/check.h"

#include <c10/util/Exception.h>
#include <fmt/format.h>

#include "core/error.h"

namespace leco {

std::string_view verdict_word(Verdict verdict) {
  switch (verdict) {
    case Verdict::kOk:
      return "ok";
    case Verdict::kWarning:
      return "warning";
    case Verdict::kFailed:
      return "failed";
  }
  return "failed";
}

Check guarded(const std::string& name, const std::function<Check()>& work) {
  try {
    return work();
  } catch (const c10::Error& error) {  // libtorch's; what() would add the stack of calls
    return {name, Verdict::kFailed, error.what_without_backtrace()};
  } catch (const std::exception& error) {
    return {name, Verdict::kFailed, error.what()};
  }
}

std::string size_text(int64_t bytes) {
  constexpr int64_t kMib = int64_t{1} << 20;
  if (bytes < 1024 * kMib) return fmt::format("{} MiB", bytes / kMib);
  return fmt::format("{:.1f} GiB", static_cast<double>(bytes / kMib) / 1024);
}

}  // namespace leco
