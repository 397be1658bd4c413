// Lines for people, on stderr. Callers pass finished strings, so that no header of spdlog is seen outside
// log.cpp.
#pragma once

#include <string>

namespace leco::log {

enum class Level { kDebug, kInfo, kWarning, kError };

// Until this is called, the process is rank 0 of 1. Rank 0 prints every line from info up; the other ranks
// print warnings and errors only, and each line of theirs carries the rank.
void start(int rank, int world_size);

// Which lines are shown, where and how; after start(), on every rank. `file`: rank 0 writes its lines there
// instead of on stderr, over what the file held; errors stand on stderr as well. `simple`: without time and
// level. Throws a usage error when the file cannot be written.
struct Console {
  Level level = Level::kInfo;
  std::string file;
  bool simple = false;
};
void configure(const Console& console);

// While several trainings go on side by side. This rank's lines go to the end of `file`, also those from info
// up of a rank that is not the first, and only errors are shown; without a file they go nowhere else.
// configure() ends it.
void divert(const std::string& file);
bool is_diverted();
// Shown as info, whatever the rank, and also while lines are diverted.
void headline(const std::string& line);

void debug(const std::string& line);
void info(const std::string& line);
void warning(const std::string& line);  // of this rank
void notice(const std::string& line);   // a warning that every rank comes to alike: rank 0 prints it, or who
                                        // writes the log it is diverted to
void error(const std::string& line);

}  // namespace leco::log
