#include "train/step_message.h"

namespace leco {

void StepMessage::share(Communicator& comm, torch::Device device) {
  std::vector<double> values = {greatest_gradient, faulty_rank};
  values.insert(values.end(), seconds.begin(), seconds.end());
  values.insert(values.end(), losses.begin(), losses.end());
  torch::Tensor message = at::tensor(values, torch::kFloat64).to(device);
  comm.all_reduce(message, Reduce::kMax);
  message = message.cpu();
  const double* agreed = message.data_ptr<double>();
  greatest_gradient = *agreed++;
  faulty_rank = *agreed++;
  for (double& phase : seconds) phase = *agreed++;
  for (double& loss : losses) loss = *agreed++;
}

}  // namespace leco
