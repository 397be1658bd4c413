#include "health/same_start.h"

#include <fmt/format.h>

#include <algorithm>

#include "comm/text_message.h"
#include "core/error.h"
#include "core/host_name.h"
#include "health/fact_check.h"
#include "io/digest.h"

namespace leco {
namespace {

constexpr char kEnd = '\0';  // of a part; a word of a command line holds none

std::string joined(const std::vector<std::string>& parts) {
  std::string text;
  for (const std::string& part : parts) text += part + kEnd;
  return text;
}

std::vector<std::string> parts_of(const std::string& text) {
  std::vector<std::string> parts;
  for (size_t begin = 0, end; (end = text.find(kEnd, begin)) != std::string::npos; begin = end + 1)
    parts.push_back(text.substr(begin, end - begin));
  return parts;
}

// As many bits of its checksum as a double holds.
double mark_of(const std::string& text) {
  constexpr size_t kDigits = 13;
  return static_cast<double>(std::stoull(sha256(text).substr(0, kDigits), nullptr, 16));
}

std::string quoted(const std::vector<std::string>& words, size_t place) {
  return place < words.size() ? fmt::format("'{}'", words[place]) : "nothing";
}

std::string difference(const std::vector<std::string>& words, const std::vector<std::string>& first) {
  const auto differs = std::ranges::mismatch(words, first);
  const auto place = static_cast<size_t>(differs.in1 - words.begin());
  return fmt::format(
      "has other words than rank 0 on its command line, {} in place of {}; start all ranks with "
      "the same words",
      quoted(words, place), quoted(first, place));
}

}  // namespace

void check_same_start(Communicator& comm, const std::vector<std::string>& words) {
  const std::string text = joined(words), build = build_id();
  const std::vector<double> marks = comm.all_gather(mark_of(text + build));
  const auto other = std::ranges::find_if(marks, [&](double mark) { return mark != marks.front(); });
  if (other == marks.end()) return;

  const int rank = static_cast<int>(other - marks.begin());
  const auto of = [&](const std::string& mine, int whose) { return broadcast_text(comm, mine, whose); };
  const std::string its_words = of(text, rank), first_words = of(text, 0), its_build = of(build, rank),
                    first_build = of(build, 0);
  const std::string how =
      its_words != first_words
          ? difference(parts_of(its_words), parts_of(first_words))
          : fmt::format(
                "runs another build of leco than rank 0, {:.8} and not {:.8}; give all nodes the same",
                its_build, first_build);
  throw_usage(fmt::format("rank {} on {} {}", rank, of(host_name(), rank), how));
}

}  // namespace leco
