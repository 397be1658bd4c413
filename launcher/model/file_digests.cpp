#include "launcher/model/file_digests.h"

#include "io/digest.h"

namespace leco {

std::shared_future<FileDigests> digest_in_background(std::vector<WeightFile> files) {
  return std::async(std::launch::async, [files = std::move(files)] {
    FileDigests digests;
    for (const auto& [name, path] : files) digests.emplace_back(name, sha256_of_file(path));
    return digests;
  });
}

}  // namespace leco
