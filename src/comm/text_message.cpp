#include "comm/text_message.h"

#include <cstring>

namespace leco {

std::string broadcast_text(Communicator& comm, std::string text, int root, torch::Device device) {
  torch::Tensor size = at::full({1}, static_cast<int64_t>(text.size()), torch::kInt64).to(device);
  comm.broadcast(size, root);
  torch::Tensor bytes = at::zeros({size.item<int64_t>()}, torch::kUInt8);
  if (comm.rank() == root && !text.empty()) std::memcpy(bytes.data_ptr(), text.data(), text.size());
  bytes = bytes.to(device);
  comm.broadcast(bytes, root);
  bytes = bytes.cpu();
  text.assign(static_cast<const char*>(bytes.data_ptr()), static_cast<size_t>(bytes.numel()));
  return text;
}

}  // namespace leco
