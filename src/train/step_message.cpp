#include "train/step_message.h"

#include "comm/text_message.h"
#include "core/error.h"
#include "plan/traffic.h"

namespace leco {

const char* phase_name(Phase phase) {
  constexpr std::array<const char*, kPhases> kNames = {"rollout", "frozen", "train", "merge", "update"};
  return kNames[static_cast<size_t>(phase)];
}

void StepMessage::share(Communicator& comm, torch::Device device) {
  std::vector<double> values = {greatest_gradient, overflowed ? 1.0 : 0.0, faulty_rank, stop_signal, busy};
  values.insert(values.end(), seconds.begin(), seconds.end());
  LECO_ASSERT(std::ssize(values) == kStepMessageHead);  // what docs/distributed.md counts
  values.insert(values.end(), losses.begin(), losses.end());
  torch::Tensor message = at::tensor(values, torch::kFloat64).to(device);
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
  if (faulty_rank >= 0) fault = broadcast_text(comm, fault, static_cast<int>(faulty_rank), device);
}

}  // namespace leco
