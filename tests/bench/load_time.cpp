// Seconds and memory of loading a model, phase by phase, as one JSON object. Run by load_time.py.
//
// usage: load_time MODEL THREADS [float32 | float16 | bfloat16]
// read: all bytes of the weight files through a buffer, which is the least that loading can take. take: every
// weight of U-Net and text encoders mapped, and checked to be a number. convert: the same, brought to the
// compute type. load: the U-Net built, which on the CPU also lays its weights out. Peaks are of memory that
// is this process's own, and of all it has mapped in; "model" is one copy of the U-Net in the compute type.
#include <ATen/Parallel.h>
#include <fcntl.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <iostream>
#include <thread>

#include "core/error.h"
#include "launcher/process.h"
#include "pipeline/base_model.h"

namespace leco {
namespace {

double seconds_of(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// Other programs only ever make it slower.
double fastest_of_three(const std::function<void()>& work) {
  double fastest = seconds_of(work);
  for (int repeat = 1; repeat < 3; ++repeat) fastest = std::min(fastest, seconds_of(work));
  return fastest;
}

int64_t status_bytes(const std::string& key) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with(key + ":")) return std::stoll(line.substr(key.size() + 1)) * 1024;
  return 0;
}

// The greatest value of a line of /proc/self/status while it lives.
class Peak {
 public:
  explicit Peak(std::string key)
      : watcher_([this, key = std::move(key)](const std::stop_token& stop) {
          while (!stop.stop_requested()) {
            bytes_ = std::max(bytes_, status_bytes(key));
            std::this_thread::sleep_for(std::chrono::milliseconds(2));
          }
        }) {}
  int64_t stop() {
    watcher_.request_stop();
    watcher_.join();
    return bytes_;
  }

 private:
  int64_t bytes_ = 0;
  std::jthread watcher_;
};

int64_t read_all(const std::vector<WeightFile>& files) {
  std::vector<char> buffer(1 << 20);
  int64_t total = 0;
  for (const WeightFile& file : files) {
    const int descriptor = open(file.path.c_str(), O_RDONLY);
    for (ssize_t got = 1; got > 0; total += got) got = read(descriptor, buffer.data(), buffer.size());
    close(descriptor);
  }
  return total;
}

void take_all(StateDict weights, std::optional<torch::ScalarType> compute) {
  weights.spell({});
  for (const std::string& name : weights.left()) {
    if (weights.find(name)->dtype == torch::kInt64) continue;  // positions
    const torch::Tensor taken = weights.take_weight(name, weights.find(name)->shape);
    if (compute) taken.to(*compute);
  }
}

void take_model(const BaseModel& model, std::optional<torch::ScalarType> compute) {
  for (TextEncoderSource& encoder : model.open_text_encoders()) take_all(std::move(encoder.weights), compute);
  take_all(model.open_unet(Contents::kWeights), compute);
}

torch::ScalarType type_named(const std::string& name) {
  if (name == "float16") return torch::kFloat16;
  if (name == "bfloat16") return torch::kBFloat16;
  return torch::kFloat32;
}

void measure(const std::string& path, torch::ScalarType compute) {
  LocalFileSource files;
  const auto model = open_base_model(files, path);
  const auto weight_files = model->weight_files();
  int64_t bytes = read_all(weight_files);  // the page cache is warm from here on
  const double read = fastest_of_three([&] { bytes = read_all(weight_files); });
  const double take = fastest_of_three([&] { take_model(*model, {}); });
  const double convert = fastest_of_three([&] { take_model(*model, compute); });
  const int64_t own_before = status_bytes("RssAnon"), all_before = status_bytes("VmRSS");
  Peak own("RssAnon"), all("VmRSS");
  std::unique_ptr<UNet> unet;
  const double load = seconds_of([&] { unet = model->load_unet({.dtype = compute}); });
  const int64_t numbers = model->open_unet(Contents::kOutline).numbers_left();
  std::cout << fmt::format(
                   R"({{"bytes": {}, "read": {:.3f}, "take": {:.3f}, "convert": {:.3f}, "load": {:.3f}, )"
                   R"("model": {}, "own_peak": {}, "peak": {}}})",
                   bytes, read, take, convert, load,
                   numbers * static_cast<int64_t>(c10::elementSize(compute)), own.stop() - own_before,
                   all.stop() - all_before)
            << std::endl;
}

}  // namespace
}  // namespace leco

int main(int count, char** words) {
  if (count < 3) return std::cerr << "usage: load_time MODEL THREADS [float32 | float16 | bfloat16]\n", 2;
  leco::prepare_process();
  at::set_num_threads(std::stoi(words[2]));
  try {
    leco::measure(words[1], leco::type_named(count > 3 ? words[3] : "float32"));
  } catch (const leco::Error& error) {
    return std::cerr << error.what() << "\n", 1;
  }
}
