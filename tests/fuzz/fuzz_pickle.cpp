// The pickle of a checkpoint, in a zip that is as it should be and has two storages.
#include <cstdint>

#include "tests/fuzz/checkpoint_file.h"
#include "tests/support/checkpoint_parts.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string pickle(reinterpret_cast<const char*>(data), size);
  const std::string storage(64, '\1');
  leco::fuzz::read_checkpoint(leco::parts::zip_of(
      {{"archive/data.pkl", pickle}, {"archive/data/0", storage}, {"archive/data/1", storage.substr(0, 6)}}));
  return 0;
}
