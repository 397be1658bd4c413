#include "comm/gather_texts.h"

#include <algorithm>

namespace leco {

std::vector<std::string> gather_texts(Communicator& comm, const std::string& mine, int64_t width) {
  torch::Tensor bytes = at::zeros({comm.size(), width}, torch::kInt32);
  auto rows = bytes.accessor<int32_t, 2>();
  const auto length = std::min<int64_t>(std::ssize(mine), width);
  for (int64_t i = 0; i < length; ++i) rows[comm.rank()][i] = static_cast<unsigned char>(mine[i]);
  comm.all_reduce(bytes, Reduce::kMax);  // the others hold zeros there
  std::vector<std::string> texts;
  for (int rank = 0; rank < comm.size(); ++rank) {
    std::string& text = texts.emplace_back();
    for (int64_t i = 0; i < width && rows[rank][i] != 0; ++i) text += static_cast<char>(rows[rank][i]);
  }
  return texts;
}

}  // namespace leco
