#include "core/fault.h"

// A file of its own: a test program that brings another body leaves this object in its library.
namespace leco {

Fault fault_point(FaultPoint, int64_t) {
  return Fault::kNone;
}

}  // namespace leco
