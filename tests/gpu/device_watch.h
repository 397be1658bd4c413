// Whether code mixes devices.
#pragma once

#include <torch/types.h>

#include <set>
#include <string>

namespace leco {

// While it lives, on all threads: operators that are given tensors of two devices are noted, except those
// that copy from one to another. A number in a tensor without dimensions may lie on the CPU, as on a GPU.
class DeviceWatch {
 public:
  DeviceWatch();
  ~DeviceWatch();
  DeviceWatch(const DeviceWatch&) = delete;
  DeviceWatch& operator=(const DeviceWatch&) = delete;

  // "aten::add of cpu and meta", …; empty when every operator stayed on one device.
  std::set<std::string> mixed() const;

 private:
  uint64_t callback_;
};

}  // namespace leco
