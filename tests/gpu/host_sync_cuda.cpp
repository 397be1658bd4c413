#include <c10/cuda/CUDAFunctions.h>

#include "tests/gpu/host_sync.h"

namespace leco {

void refuse_host_syncs(bool on) {
  using c10::cuda::SyncDebugMode;
  c10::cuda::warning_state().set_sync_debug_mode(on ? SyncDebugMode::L_ERROR : SyncDebugMode::L_DISABLED);
}

}  // namespace leco
