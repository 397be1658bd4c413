#include "io/foreign_file.h"

#include <algorithm>
#include <array>

namespace leco {
namespace {

struct Signature {
  std::string_view begin;  // letters in lower case
  std::string_view description;
};

constexpr std::string_view kWebPage =
    "a web page (often a login or error page saved by a download); download the file again";
constexpr std::string_view kCheckpoint =
    "a PyTorch checkpoint (pickle) under the wrong ending; rename it to .ckpt or convert it to safetensors";
constexpr std::string_view kJson =
    "a JSON text (an index file, or an error message saved by a download); give the weights themselves";

constexpr std::array<Signature, 13> kSignatures = {{
    {"version https://git-lfs", "a git-lfs pointer, not the weights; fetch them with 'git lfs pull'"},
    {"<!doctype", kWebPage},
    {"<html", kWebPage},
    {"<?xml", kWebPage},
    {"pk\x03\x04", kCheckpoint},
    {"\x80\x02", kCheckpoint},
    {"\x80\x03", kCheckpoint},
    {"\x80\x04", kCheckpoint},
    {"\x80\x05", kCheckpoint},
    {"{", kJson},
    {"[", kJson},
    {"gguf", "a GGUF file; a safetensors file is needed"},
    {"\x1f\x8b", "compressed with gzip; unpack it first"},
}};

// Letters alone, as no file of weights begins.
bool is_text(std::string_view head) {
  constexpr size_t kLooked = 16;
  const auto is_ascii = [](char c) { return (c >= ' ' && c <= '~') || (c >= '\t' && c <= '\r'); };
  return head.size() >= kLooked && std::ranges::all_of(head.substr(0, kLooked), is_ascii);
}

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

}  // namespace

std::string_view recognise_foreign_file(std::string_view head) {
  const size_t text = head.find_first_not_of(" \t\r\n");
  if (text == std::string_view::npos) return {};
  head.remove_prefix(text);
  for (const Signature& known : kSignatures) {
    const std::string_view begin = head.substr(0, known.begin.size());
    if (std::ranges::equal(begin, known.begin, {}, lower)) return known.description;
  }
  return is_text(head) ? "a text; give the weights themselves" : std::string_view();
}

}  // namespace leco
