// Files that one rank reads and all ranks get, so that a shared file system sees one reader and every rank
// the same bytes.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <type_traits>

#include "comm/communicator.h"
#include "core/read_file.h"
#include "io/file_source.h"

namespace leco {

// `comm` must carry host memory and outlive the result. A world of one reads directly.
std::unique_ptr<FileSource> share_files(Communicator& comm);

// The same for ranks that train now with these and now with those others: what was opened through it outlives
// the group it was opened in. `comm` is used until the next move_to().
class MovableFiles : public FileSource {
 public:
  virtual void move_to(Communicator& comm) = 0;
};
std::unique_ptr<MovableFiles> movable_files(Communicator& comm);

// The same for code that only reads text (config/).
ReadFile reader_of(FileSource& files);

// Rank 0 does the work; all ranks get its text, or throw its error. Collective; `comm` carries host memory.
std::string do_on_reader(Communicator& comm, const std::function<std::string()>& work);

// The same for work that has nothing to tell.
template <class Work>
requires std::is_void_v<std::invoke_result_t<Work>>
void do_on_reader(Communicator& comm, Work work) {
  do_on_reader(comm, [&] {
    work();
    return std::string();
  });
}

}  // namespace leco
