#include "comm/local_communicator.h"

#include "comm/job.h"
#include "comm/tensor_checks.h"

namespace leco {
namespace {

class LocalCommunicator final : public Communicator {
 public:
  int rank() const override { return 0; }
  int size() const override { return 1; }
  void all_reduce(torch::Tensor& tensor, Reduce) override { check_reducible(tensor); }
  void broadcast(torch::Tensor& tensor, int root) override {
    check_contiguous("broadcast", tensor);
    check_root(root, 1);
  }
  std::vector<double> all_gather(double value) override { return {value}; }
  void barrier() override {}
  std::unique_ptr<Communicator> split(int color) override {
    check_color(color);
    return std::make_unique<LocalCommunicator>();
  }
  [[noreturn]] void abort(std::string_view reason, int status) noexcept override { end_job(reason, status); }
};

}  // namespace

std::unique_ptr<Communicator> make_local_communicator() {
  return std::make_unique<LocalCommunicator>();
}

}  // namespace leco
