// Private to the NCCL back-end: every NCCL call stands in LECO_NCCL(…).
#pragma once

#include <nccl.h>

#include <source_location>

namespace leco {

// Throws Error with code, text, NCCL's last error, expression, place and rank.
void check_nccl(ncclResult_t code, const char* expression,
                std::source_location where = std::source_location::current());

}  // namespace leco

#define LECO_NCCL(expr) ::leco::check_nccl((expr), #expr)
