#include "plan/device_kinds.h"

#include <algorithm>
#include <set>

namespace leco {

std::string kinds_text(const std::vector<std::string>& kinds) {
  std::string text;
  for (const std::string& kind : std::set<std::string>(kinds.begin(), kinds.end()))
    text += (text.empty() ? "" : " + ") + kind;
  return text;
}

std::string kind_conflict(const std::vector<std::string>& kinds) {
  const auto other =
      std::ranges::find_if(kinds, [&](const std::string& kind) { return kind != kinds.front(); });
  if (other == kinds.end()) return "";
  return "rank 0 has '" + kinds.front() + "' and rank " + std::to_string(other - kinds.begin()) + " '" +
         *other + "'";
}

}  // namespace leco
