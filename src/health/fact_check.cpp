#include "health/fact_check.h"

#include <elf.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <link.h>

#include <algorithm>
#include <cstring>
#include <sstream>
#include <string_view>

#include "core/error.h"

namespace leco {
namespace {

std::string both(const Fact& mine, const Fact& first) {
  return fmt::format("{} is '{}' here and '{}' on rank 0", mine.name, mine.value, first.value);
}

// The note of type NT_GNU_BUILD_ID in a segment of notes, in hexadecimal.
std::string id_in_notes(std::string_view notes) {
  const auto padded = [](size_t size) { return (size + 3) / 4 * 4; };
  while (notes.size() >= sizeof(ElfW(Nhdr))) {
    ElfW(Nhdr) head;
    std::memcpy(&head, notes.data(), sizeof head);
    const size_t begin = sizeof head + padded(head.n_namesz), end = begin + padded(head.n_descsz);
    if (end > notes.size()) break;
    if (head.n_type == NT_GNU_BUILD_ID &&
        notes.substr(sizeof head, head.n_namesz) == std::string_view("GNU\0", 4)) {
      const std::string_view id = notes.substr(begin, head.n_descsz);
      return fmt::format("{:02x}",
                         fmt::join(reinterpret_cast<const unsigned char*>(id.data()),
                                   reinterpret_cast<const unsigned char*>(id.data()) + id.size(), ""));
    }
    notes.remove_prefix(end);
  }
  return {};
}

// The first object that is listed is the program.
int take_id_of_program(dl_phdr_info* object, size_t, void* result) {
  for (int i = 0; i < object->dlpi_phnum; ++i) {
    const ElfW(Phdr)& part = object->dlpi_phdr[i];
    if (part.p_type != PT_NOTE) continue;
    const auto* begin = reinterpret_cast<const char*>(object->dlpi_addr + part.p_vaddr);
    auto& id = *static_cast<std::string*>(result);
    if (id.empty()) id = id_in_notes({begin, part.p_memsz});
  }
  return 1;  // no further object
}

}  // namespace

Check compare_facts(const std::vector<Fact>& mine, const std::vector<Fact>& first) {
  LECO_ASSERT(mine.size() == first.size());
  Check check{"versions", Verdict::kOk, ""};
  std::vector<std::string> shown;
  for (size_t i = 0; i < mine.size(); ++i) {
    shown.push_back(fmt::format("{} {}", mine[i].name, mine[i].value));
    if (mine[i].value == first[i].value || check.verdict == Verdict::kFailed) continue;
    const Verdict verdict = mine[i].decides_result ? Verdict::kFailed : Verdict::kWarning;
    if (verdict > check.verdict)
      check = {check.name, verdict, both(mine[i], first[i]),
               verdict == Verdict::kFailed
                   ? "the result would depend on which rank computes what: give all nodes the same"
                   : "results do not depend on it; the same everywhere is easier to reason about"};
  }
  if (check.verdict == Verdict::kOk) check.found = fmt::format("{}", fmt::join(shown, ", "));
  return check;
}

std::string facts_as_text(const std::vector<Fact>& facts) {
  std::string text;
  for (const Fact& fact : facts)
    text += fmt::format("{}\t{}\t{}\n", fact.name, fact.value, fact.decides_result ? 1 : 0);
  return text;
}

std::vector<Fact> facts_from_text(const std::string& text) {
  std::vector<Fact> facts;
  std::istringstream lines(text);
  for (std::string name, value, decides;
       std::getline(lines, name, '\t') && std::getline(lines, value, '\t') && std::getline(lines, decides);)
    facts.push_back({name, value, decides == "1"});
  return facts;
}

std::string build_id() {
  std::string id;
  dl_iterate_phdr(take_id_of_program, &id);
  return id;
}

}  // namespace leco
