#include "core/host_name.h"

#include <unistd.h>

#include <climits>

namespace leco {

std::string host_name() {
  char name[HOST_NAME_MAX + 1] = "host";
  gethostname(name, sizeof(name) - 1);
  return name;
}

}  // namespace leco
