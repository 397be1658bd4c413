#include "io/claim_file.h"

#include <fcntl.h>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <optional>
#include <sstream>
#include <thread>

#include "core/error.h"
#include "core/host_name.h"
#include "io/atomic_file.h"

namespace leco {
namespace {

namespace fs = std::filesystem;

constexpr int kAttempts = 10;  // of takeovers that others were faster at

std::string first_line(const std::string& path) {
  std::ifstream in(path);
  std::string line;
  std::getline(in, line);
  return line;
}

// When a process started, in ticks since the boot; empty where there is none, or only what its parent has not
// taken note of (a zombie: in a container whose first process reaps nothing it stays for ever). The process's
// name, field 2 of the line, may hold anything, also blanks and parentheses.
std::string start_of_process(const std::string& process) {
  const std::string line = first_line("/proc/" + process + "/stat");
  const size_t name_end = line.rfind(')');
  if (name_end == std::string::npos) return {};
  std::istringstream fields(line.substr(name_end + 1));
  std::string field, state;
  constexpr int kStartTime = 22, kState = 3;
  fields >> state;
  if (state == "Z" || state == "X") return {};
  for (int i = kState + 1; i <= kStartTime; ++i) fields >> field;
  return field;
}

// Where process numbers mean the same processes: one boot of one machine, and there one namespace (a
// container has its own).
std::string process_space() {
  std::error_code failure;
  const fs::path space = fs::read_symlink("/proc/self/ns/pid", failure);
  return first_line("/proc/sys/kernel/random/boot_id") + "/" + space.string();
}

struct Owner {
  std::string process, start, space, host, since;

  static Owner self() {
    const auto now = std::chrono::time_point_cast<std::chrono::seconds>(std::chrono::system_clock::now());
    return {std::to_string(getpid()), start_of_process("self"), process_space(), host_name(),
            fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", now)};
  }

  // A line a field, so that a person can read it too.
  std::string text() const {
    return fmt::format("process {}\nstart {}\nspace {}\nhost {}\nsince {}\n", process, start, space, host,
                       since);
  }

  // Nothing where the text is not whole: its owner is about to write it, or died doing so.
  static std::optional<Owner> parse(const std::string& text) {
    Owner owner;
    std::istringstream in(text);
    for (auto [key, value] : {std::pair{"process", &owner.process},
                              {"start", &owner.start},
                              {"space", &owner.space},
                              {"host", &owner.host},
                              {"since", &owner.since}}) {
      std::string word;
      if (!(in >> word) || word != key || !std::getline(in >> std::ws, *value)) return std::nullopt;
    }
    return owner;
  }

  // `owner`: as parse() gave it.
  static std::string describe(const std::optional<Owner>& owner) {
    return owner ? owner->description() : "a process that is starting";
  }

  std::string description() const { return fmt::format("process {} on {}, since {}", process, host, since); }
};

// A claim as somebody found it. Two looks at one claim are equal; a claim that was touched or made anew is
// not.
struct Seen {
  std::string text;
  ino_t file = 0;
  timespec touched{};

  bool operator==(const Seen& other) const {
    return text == other.text && file == other.file && touched.tv_sec == other.touched.tv_sec &&
           touched.tv_nsec == other.touched.tv_nsec;
  }
};

std::optional<Seen> look_at(const std::string& path) {
  struct stat status {};
  if (stat(path.c_str(), &status) != 0) {
    if (errno == ENOENT) return std::nullopt;
    throw_cannot_write(path, errno);
  }
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return Seen{text.str(), status.st_ino, status.st_mtim};
}

// The file system's own clock: the time of a file that is made now.
time_t time_there(const std::string& path) {
  const std::string probe = temporary_name(path);
  const int descriptor = open(probe.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (descriptor < 0) throw_cannot_write(path, errno);
  struct stat status {};
  const bool failed = fstat(descriptor, &status) != 0;
  close(descriptor);
  unlink(probe.c_str());
  if (failed) throw_cannot_write(path, errno);
  return status.st_mtim.tv_sec;
}

bool is_alive(const Seen& seen, const std::string& path) {
  const auto owner = Owner::parse(seen.text);
  if (owner && owner->space == process_space()) {
    const std::string start = start_of_process(owner->process);
    return !start.empty() && start == owner->start;
  }
  return std::abs(time_there(path) - seen.touched.tv_sec) <= ClaimFile::kStaleSeconds;
}

// Takes a dead owner's file away. Of several that try, one does; and if meanwhile somebody else had done so
// and made a claim of its own, that one is put back.
void remove_dead(const std::string& path, const Seen& dead) {
  if (look_at(path) != dead) return;
  const std::string aside = temporary_name(path) + "-dead";
  if (rename(path.c_str(), aside.c_str()) != 0) {
    if (errno == ENOENT) return;
    throw_cannot_write(path, errno);
  }
  if (look_at(aside) != dead) [[maybe_unused]]
    const int result = link(aside.c_str(), path.c_str());
  unlink(aside.c_str());
}

void write_owner(const std::string& path, int descriptor) {
  const std::string text = Owner::self().text();
  if (write(descriptor, text.data(), text.size()) == static_cast<ssize_t>(text.size())) return;
  const int error = errno;
  close(descriptor);
  unlink(path.c_str());
  throw_cannot_write(path, error);
}

}  // namespace

struct ClaimFile::Heart {
  explicit Heart(int file) : descriptor(file) {
    // Signals belong to the program's own threads.
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    thread = std::jthread([this](std::stop_token stop) { beat(stop); });
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
  }
  ~Heart() {
    thread.request_stop();
    thread.join();
    close(descriptor);
  }

  void beat(std::stop_token stop) {
    std::unique_lock lock(mutex);
    while (!changed.wait_for(lock, stop, std::chrono::seconds(kRefreshSeconds),
                             [&] { return stop.stop_requested(); }))
      futimens(descriptor, nullptr);
  }

  int descriptor;
  std::mutex mutex;
  std::condition_variable_any changed;
  std::jthread thread;
};

std::unique_ptr<ClaimFile> ClaimFile::take(const std::string& path, std::string& holder) {
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    const int descriptor = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (descriptor >= 0) {
      write_owner(path, descriptor);
      return std::unique_ptr<ClaimFile>(new ClaimFile(path, descriptor));
    }
    if (errno != EEXIST) throw_cannot_write(path, errno);
    const auto seen = look_at(path);
    if (!seen) continue;  // given up since
    holder = Owner::describe(Owner::parse(seen->text));
    if (is_alive(*seen, path)) return nullptr;
    remove_dead(path, *seen);
  }
  return nullptr;
}

std::string ClaimFile::living_owner(const std::string& path) {
  const auto seen = look_at(path);
  return seen && is_alive(*seen, path) ? Owner::describe(Owner::parse(seen->text)) : "";
}

ClaimFile::ClaimFile(std::string path, int descriptor)
    : path_(std::move(path)), heart_(std::make_unique<Heart>(descriptor)) {}

ClaimFile::~ClaimFile() {
  if (look() != There::kOurs || unlink(path_.c_str()) == 0) return;
  // Its folder cannot be written any more. Without a text, and of long ago, it is nobody's; else others would
  // wait for this process for as long as it lives.
  const timespec long_ago[2] = {};
  if (ftruncate(heart_->descriptor, 0) == 0) futimens(heart_->descriptor, long_ago);
}

bool ClaimFile::is_lost() const {
  return look() == There::kAnothers;
}

ClaimFile::There ClaimFile::look() const {
  struct stat ours {
  }, there{};
  if (stat(path_.c_str(), &there) != 0 || fstat(heart_->descriptor, &ours) != 0) return There::kNothing;
  return ours.st_ino == there.st_ino && ours.st_dev == there.st_dev ? There::kOurs : There::kAnothers;
}

}  // namespace leco
