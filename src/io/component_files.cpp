#include "io/component_files.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <set>

#include "core/error.h"
#include "io/json_object.h"

namespace leco {
namespace {

// {"weight_map": {tensor: file}}, as huggingface_hub writes it beside shards.
std::vector<std::string> shards_of(FileSource& files, const std::string& folder, const std::string& index) {
  const nlohmann::json parsed = parse_json_object(files.read(index), index);
  if (!parsed.contains("weight_map") || !parsed["weight_map"].is_object()) {
    throw_usage(fmt::format("'{}' is no index of shards: it has no object 'weight_map'", index));
  }
  std::set<std::string> paths;
  for (const auto& [tensor, file] : parsed["weight_map"].items()) {
    if (!file.is_string() || file.get_ref<const std::string&>().find('/') != std::string::npos) {
      throw_usage(
          fmt::format("'{}': tensor '{}' stands in {}, which is no file's name", index, tensor, shown(file)));
    }
    paths.insert(folder + "/" + file.get<std::string>());
  }
  if (paths.empty()) throw_usage(fmt::format("'{}' names no file", index));
  return {paths.begin(), paths.end()};
}

}  // namespace

std::vector<std::string> find_component(FileSource& files, const std::string& folder,
                                        const std::string& stem) {
  const std::string pickled = stem == "model" ? "pytorch_model" : stem;
  for (const std::string variant : {"", ".fp16", ".bf16"}) {
    const std::string whole = fmt::format("{}/{}{}.safetensors", folder, stem, variant);
    if (files.exists(whole)) return {whole};
    const std::string index = fmt::format("{}/{}.safetensors.index{}.json", folder, stem, variant);
    if (files.exists(index)) return shards_of(files, folder, index);
  }
  for (const std::string variant : {"", ".fp16"}) {
    const std::string bin = fmt::format("{}/{}{}.bin", folder, pickled, variant);
    if (files.exists(bin)) return {bin};
  }
  throw_usage(
      fmt::format("no such file: '{0}/{1}.safetensors', nor its shards ({1}.safetensors.index.json), its "
                  "variants {1}.fp16 and {1}.bf16, or {2}.bin",
                  folder, stem, pickled));
}

StateDict open_component(FileSource& files, const std::vector<std::string>& paths, Contents contents) {
  std::vector<StateDict> parts;
  for (const std::string& path : paths) parts.push_back(files.open(path, contents));
  return join(std::move(parts));
}

}  // namespace leco
