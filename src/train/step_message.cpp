#include "train/step_message.h"

#include <cstring>

#include "core/error.h"
#include "plan/traffic.h"

namespace leco {
namespace {

using torch::Tensor;

// The text that rank `root` has, on every rank.
std::string text_of(int root, const std::string& mine, Communicator& comm, torch::Device device) {
  Tensor size = at::tensor({static_cast<int64_t>(mine.size())}, torch::kInt64).to(device);
  comm.broadcast(size, root);
  Tensor bytes = at::zeros({size.item<int64_t>()}, torch::kUInt8);
  if (comm.rank() == root) std::memcpy(bytes.data_ptr(), mine.data(), mine.size());
  bytes = bytes.to(device);
  comm.broadcast(bytes, root);
  bytes = bytes.cpu();
  return {static_cast<const char*>(bytes.data_ptr()), static_cast<size_t>(bytes.numel())};
}

}  // namespace

const char* phase_name(Phase phase) {
  constexpr std::array<const char*, kPhases> kNames = {"rollout", "frozen", "train", "merge", "update"};
  return kNames[static_cast<size_t>(phase)];
}

void StepMessage::share(Communicator& comm, torch::Device device) {
  std::vector<double> values = {greatest_gradient, overflowed ? 1.0 : 0.0, faulty_rank, stop_signal, busy};
  values.insert(values.end(), seconds.begin(), seconds.end());
  LECO_ASSERT(std::ssize(values) == kStepMessageHead);  // what docs/distributed.md counts
  values.insert(values.end(), losses.begin(), losses.end());
  Tensor message = at::tensor(values, torch::kFloat64).to(device);
  comm.all_reduce(message, Reduce::kMax);
  message = message.cpu();
  const double* agreed = message.data_ptr<double>();
  greatest_gradient = *agreed++;
  overflowed = *agreed++ != 0;
  faulty_rank = *agreed++;
  stop_signal = *agreed++;
  busy = *agreed++;
  for (double& phase : seconds) phase = *agreed++;
  for (double& loss : losses) loss = *agreed++;
  if (faulty_rank >= 0) fault = text_of(static_cast<int>(faulty_rank), fault, comm, device);
}

}  // namespace leco
