// Whether code makes the host wait for the device.
#pragma once

#include <torch/types.h>

#include <set>
#include <string>

namespace leco {

// While it lives, on this thread: operators that read a value back to the host are noted, whatever the
// device; on a GPU a copy or call that makes the host wait throws, by torch's own sync debug mode.
class HostSyncWatch {
 public:
  explicit HostSyncWatch(torch::Device device);
  ~HostSyncWatch();
  HostSyncWatch(const HostSyncWatch&) = delete;
  HostSyncWatch& operator=(const HostSyncWatch&) = delete;

  // "aten::item", …; empty when nothing was read.
  const std::set<std::string>& reads() const;

 private:
  torch::Device device_;
  uint64_t callback_;
};

// torch's sync debug mode; does nothing in a build without CUDA.
void refuse_host_syncs(bool on);

}  // namespace leco
