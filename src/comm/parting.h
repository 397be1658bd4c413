// How a rank leaves a group that a library keeps: with the others; or alone, where an exception takes it out
// and the others do not come.
#pragma once

#include <chrono>
#include <exception>
#include <functional>
#include <string>
#include <utility>

#include "comm/watchdog.h"
#include "core/log.h"

namespace leco {

// A member of what holds the group, made once there is one. Its destructor does one of the two, logs what
// goes wrong, and ends the job where that does not return.
class Parting {
 public:
  using Way = std::function<void()>;
  Parting(std::string operation, Way with_others, Way alone)
      : operation_(std::move(operation)), with_others_(std::move(with_others)), alone_(std::move(alone)) {}
  ~Parting() {
    const bool is_thrown_out = std::uncaught_exceptions() > thrown_before_;
    try {
      const Watch watch(operation_, is_thrown_out ? kLimitAlone : collective_limit());
      (is_thrown_out ? alone_ : with_others_)();
    } catch (const std::exception& error) {
      log::error(error.what());
    }
  }
  Parting(const Parting&) = delete;
  Parting& operator=(const Parting&) = delete;

 private:
  static constexpr std::chrono::seconds kLimitAlone{60};  // nobody is waited for
  const int thrown_before_ = std::uncaught_exceptions();
  std::string operation_;
  Way with_others_, alone_;
};

}  // namespace leco
