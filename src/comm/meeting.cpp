#include "comm/meeting.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <thread>
#include <vector>

#include "comm/job.h"
#include "comm/mpi_error.h"
#include "comm/mpi_group.h"
#include "comm/tensor_checks.h"
#include "comm/watchdog.h"
#include "core/log.h"

namespace leco {
namespace {

constexpr int kGivesUp = 1;  // tag of the message that says why
constexpr size_t kLongestReason = 2000;
constexpr auto kSpin =
    std::chrono::milliseconds(1);  // ranks that do equal work arrive within about this long
constexpr auto kNap = std::chrono::microseconds(100);

class MeetingCommunicator final : public Communicator {
 public:
  MeetingCommunicator(std::unique_ptr<Communicator> inner, std::shared_ptr<Meeting> meeting)
      : inner_(std::move(inner)), meeting_(std::move(meeting)) {}

  int rank() const override { return inner_->rank(); }
  int size() const override { return inner_->size(); }
  void all_reduce(torch::Tensor& tensor, Reduce op) override {
    check_reducible(tensor);
    meeting_->arrive(name_all_reduce(tensor, op, size()));
    inner_->all_reduce(tensor, op);
  }
  void broadcast(torch::Tensor& tensor, int root) override {
    check_contiguous("broadcast", tensor);
    check_root(root, size());
    meeting_->arrive(name_broadcast(tensor, root, size()));
    inner_->broadcast(tensor, root);
  }
  std::vector<double> all_gather(double value) override {
    meeting_->arrive(fmt::format("all_gather over {} ranks", size()));
    return inner_->all_gather(value);
  }
  void barrier() override { meeting_->arrive(fmt::format("barrier over {} ranks", size())); }
  std::unique_ptr<Communicator> split(int color) override {
    check_color(color);
    const std::vector<double> colors = all_gather(color);
    auto part = inner_->split(color);
    // A smaller group would have to meet on its own.
    if (std::ranges::count(colors, colors[0]) != std::ssize(colors)) return part;
    return std::make_unique<MeetingCommunicator>(std::move(part), meeting_);
  }
  [[noreturn]] void abort(std::string_view reason, int status) noexcept override { end_job(reason, status); }

 private:
  std::unique_ptr<Communicator> inner_;
  std::shared_ptr<Meeting> meeting_;
};

}  // namespace

Meeting::Meeting(const std::vector<int>& ranks_of_job) : group_(make_group(ranks_of_job)) {
  LECO_MPI(MPI_Comm_rank(group_, &rank_));
  LECO_MPI(MPI_Comm_size(group_, &size_));
}

Meeting::~Meeting() {
  // A barrier that not all reached is still under way; such a group is left as it is.
  if (is_broken_ || std::uncaught_exceptions() > 0) return;
  int finalized = 0;
  if (MPI_Finalized(&finalized) == MPI_SUCCESS && finalized == 0) MPI_Comm_free(&group_);
}

void Meeting::arrive(const std::string& operation, const std::function<void()>& meanwhile) {
  ++meetings_;
  leave_if_in_vain();
  MPI_Request request = MPI_REQUEST_NULL;
  LECO_MPI(MPI_Ibarrier(group_, &request));
  if (meanwhile) return wait(request, meanwhile);
  const Watch watch = Watch::of_collective(operation, rank_);
  wait(request, meanwhile);
}

void Meeting::wait(MPI_Request& request, const std::function<void()>& meanwhile) {
  const auto start = std::chrono::steady_clock::now();
  while (true) {
    int all_are_here = 0;
    LECO_MPI(MPI_Test(&request, &all_are_here, MPI_STATUS_IGNORE));
    if (all_are_here != 0) return;
    hear();
    leave_if_in_vain();
    if (meanwhile) meanwhile();
    if (std::chrono::steady_clock::now() - start > kSpin) std::this_thread::sleep_for(kNap);
  }
}

void Meeting::hear() {
  int is_waiting = 0;
  MPI_Status status;
  LECO_MPI(MPI_Iprobe(MPI_ANY_SOURCE, kGivesUp, group_, &is_waiting, &status));
  if (is_waiting == 0) return;
  int bytes = 0;
  LECO_MPI(MPI_Get_count(&status, MPI_CHAR, &bytes));
  std::string text(static_cast<size_t>(bytes), '\0');
  LECO_MPI(MPI_Recv(text.data(), bytes, MPI_CHAR, status.MPI_SOURCE, kGivesUp, group_, MPI_STATUS_IGNORE));
  Failure failure{std::stoll(text), text.substr(text.find('\n') + 1)};
  if (!failure_ || failure.meetings < failure_->meetings) failure_ = std::move(failure);
}

// A rank that gave up later than this meeting is here, so this one goes on: a third may be in the operation
// behind it already, and wait for us there.
void Meeting::leave_if_in_vain() {
  if (!failure_ || failure_->meetings >= meetings_) return;
  is_broken_ = true;
  throw PeerFailure(failure_->why);
}

void Meeting::give_up(std::string_view why) {
  is_broken_ = true;
  const std::string text = fmt::format(
      "{}\n{}", meetings_, why.substr(0, kLongestReason));  // short enough for MPI to take it at once
  for (int other = 0; other < size_; ++other)
    if (other != rank_)
      LECO_MPI(MPI_Send(text.data(), static_cast<int>(text.size()), MPI_CHAR, other, kGivesUp, group_));
}

std::unique_ptr<Communicator> with_meetings(std::unique_ptr<Communicator> inner,
                                            std::shared_ptr<Meeting> meeting) {
  return std::make_unique<MeetingCommunicator>(std::move(inner), std::move(meeting));
}

}  // namespace leco
