#include "comm/library_error.h"

#include <fmt/format.h>

#include <string_view>

#include "comm/job.h"
#include "core/error.h"

namespace leco {

void throw_library_error(const LibraryCall& call) {
  std::string_view file = call.where.file_name();
  if (const auto at = file.rfind("/src/"); at != std::string_view::npos) file.remove_prefix(at + 1);
  throw Error(fmt::format("rank {}: {} error {} ({}) in {} at {}:{}", job_rank(), call.library, call.code,
                          call.text, call.expression, file, call.where.line()));
}

}  // namespace leco
