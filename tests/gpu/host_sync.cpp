#include "tests/gpu/host_sync.h"

#include <ATen/record_function.h>

namespace leco {
namespace {

// Operators whose result, or the size of whose result, the host must know before it goes on.
const std::set<std::string> kReaders = {"aten::item",          "aten::_local_scalar_dense",
                                        "aten::is_nonzero",    "aten::nonzero",
                                        "aten::masked_select", "aten::equal",
                                        "aten::_unique2",      "aten::allclose",
                                        "aten::cpu",           "aten::pin_memory",
                                        "aten::_assert_async"};

thread_local std::set<std::string> seen;

std::unique_ptr<at::ObserverContext> note(const at::RecordFunction& call) {
  if (kReaders.contains(call.name())) seen.insert(call.name());
  return nullptr;
}

}  // namespace

HostSyncWatch::HostSyncWatch(torch::Device device) : device_(device) {
  seen.clear();
  callback_ =
      at::addThreadLocalCallback(at::RecordFunctionCallback(note).scopes({at::RecordScope::FUNCTION}));
  if (device_.is_cuda()) refuse_host_syncs(true);
}

HostSyncWatch::~HostSyncWatch() {
  if (device_.is_cuda()) refuse_host_syncs(false);
  at::removeCallback(callback_);
}

const std::set<std::string>& HostSyncWatch::reads() const {
  return seen;
}

}  // namespace leco
