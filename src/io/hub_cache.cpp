#include "io/hub_cache.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <map>

#include "core/error.h"
#include "core/read_file.h"

namespace leco {
namespace {

namespace fs = std::filesystem;

bool is_letter_or_digit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

std::string home(const Environment& environment) {
  return environment("HOME").value_or("");
}

// $NAME and ${NAME} become their values; what is not set stays as it is written, as Python's expandvars has
// it.
std::string with_variables(const std::string& text, const Environment& environment) {
  std::string result;
  for (size_t at = 0; at < text.size();) {
    if (text[at] != '$') {
      result += text[at++];
      continue;
    }
    const bool has_brace = text.compare(at + 1, 1, "{") == 0;
    const size_t begin = at + (has_brace ? 2 : 1);
    size_t end = begin;
    while (end < text.size() && (is_letter_or_digit(text[end]) || text[end] == '_')) ++end;
    const bool is_closed = !has_brace || text.compare(end, 1, "}") == 0;
    const auto value = end > begin && is_closed ? environment(text.substr(begin, end - begin)) : std::nullopt;
    const size_t next = end + (has_brace && is_closed ? 1 : 0);
    result += value ? *value : text.substr(at, next - at);
    at = next;
  }
  return result;
}

std::string expanded(std::string path, const Environment& environment) {
  if (path == "~" || path.starts_with("~/")) path.replace(0, 1, home(environment));
  return with_variables(path, environment);
}

std::string model_folder(const std::string& id, const Environment& environment) {
  std::string name = id;
  if (const size_t slash = name.find('/'); slash != std::string::npos) name.replace(slash, 1, "--");
  return hub_cache_folder(environment) + "/models--" + name;
}

bool is_commit(std::string_view text) {
  const auto is_hexadecimal = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
  return text.size() == 40 && std::ranges::all_of(text, is_hexadecimal);
}

// A revision is a part of a path here, and must not lead out of it.
bool is_revision(std::string_view text) {
  const auto is_plain = [](char c) {
    return is_letter_or_digit(c) || std::string_view("._-/").find(c) != std::string_view::npos;
  };
  return !text.empty() && text.front() != '/' && text.find("..") == std::string_view::npos &&
         std::ranges::all_of(text, is_plain);
}

std::string without_line_end(std::string text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
  return text;
}

// Snapshots by commit, with the branches and tags that lead to each.
std::map<std::string, std::vector<std::string>> revisions_of(const fs::path& model) {
  std::map<std::string, std::vector<std::string>> found;
  std::error_code failure;
  for (fs::directory_iterator each(model / "snapshots", failure), end; !failure && each != end;
       each.increment(failure)) {
    if (is_commit(each->path().filename().native())) found[each->path().filename()];
  }
  for (fs::recursive_directory_iterator each(model / "refs", failure), end; !failure && each != end;
       each.increment(failure)) {
    std::error_code ignored;
    if (!each->is_regular_file(ignored)) continue;
    const auto snapshot = found.find(without_line_end(read_local_file(each->path())));
    if (snapshot != found.end()) {
      snapshot->second.push_back(each->path().lexically_relative(model / "refs"));
    }
  }
  return found;
}

}  // namespace

std::optional<std::string> process_environment(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  if (value == nullptr) return std::nullopt;
  return value;
}

bool may_be_hub_id(std::string_view text) {
  constexpr size_t kMaxLength = 96;
  const auto is_odd = [](char c) {
    return !is_letter_or_digit(c) && std::string_view("._-/").find(c) == std::string_view::npos;
  };
  const auto is_part = [](std::string_view part) {
    const auto ends = [](char c) { return c == '.' || c == '-'; };
    return !part.empty() && !ends(part.front()) && !ends(part.back());
  };
  if (text.size() > kMaxLength || std::ranges::count(text, '/') > 1 || std::ranges::any_of(text, is_odd) ||
      text.find("--") != std::string_view::npos || text.find("..") != std::string_view::npos) {
    return false;
  }
  const size_t slash = text.find('/');
  if (slash == std::string_view::npos) return is_part(text);
  return is_part(text.substr(0, slash)) && is_part(text.substr(slash + 1));
}

std::string hub_cache_folder(const Environment& environment) {
  for (const char* name : {"HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"}) {
    if (const auto folder = environment(name)) return expanded(*folder, environment);
  }
  if (const auto folder = environment("HF_HOME")) return expanded(*folder, environment) + "/hub";
  const std::string caches = environment("XDG_CACHE_HOME").value_or(home(environment) + "/.cache");
  return expanded(caches, environment) + "/huggingface/hub";
}

std::optional<std::string> find_in_hub_cache(FileSource& files, const std::string& id,
                                             const Environment& environment, const std::string& revision) {
  LECO_ASSERT(may_be_hub_id(id));
  if (!is_revision(revision)) throw_usage(fmt::format("'{}' is no name of a revision of '{}'", revision, id));
  const std::string model = model_folder(id, environment);
  const std::string reference = model + "/refs/" + revision;
  const std::string commit = files.exists(reference) ? without_line_end(files.read(reference)) : revision;
  if (!is_commit(commit)) return std::nullopt;
  const std::string snapshot = model + "/snapshots/" + commit;
  if (!files.exists(snapshot)) return std::nullopt;
  return snapshot;
}

std::string missing_from_hub_cache(const std::string& id, const Environment& environment,
                                   const std::string& revision) {
  const std::string model = model_folder(id, environment);
  std::string others;
  for (const auto& [commit, names] : revisions_of(model)) {
    const std::string name = names.empty() ? commit : fmt::format("{}", fmt::join(names, ", "));
    others += fmt::format("; revision '{}' is there: '{}/snapshots/{}'", name, model, commit);
  }
  const std::string flag = revision == "main" ? "" : " --revision " + revision;
  return fmt::format(
      "revision '{1}' of '{0}' is not in the Hugging Face cache (looked for '{2}'){3}; fetch it with "
      "'hf download {0}{4}' or 'huggingface-cli download {0}{4}', or set HF_HOME or HF_HUB_CACHE to the "
      "cache "
      "that holds it",
      id, revision, model, others, flag);
}

}  // namespace leco
