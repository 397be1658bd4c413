#include "core/error.h"
#include "io/safetensors.h"

namespace leco {

SafetensorsFile::SafetensorsFile(const std::string& path)
    : file_(path, "a safetensors file"), header_(parse_safetensors_header(file_.bytes(), size(), path)) {}

torch::Tensor SafetensorsFile::tensor(const TensorInfo& info) const {
  LECO_ASSERT(info.begin <= info.end && info.end <= size() - header_.data_begin);
  return file_.tensor(header_.data_begin + info.begin, info.dtype, info.shape);
}

std::string_view SafetensorsFile::data() const {
  return file_.bytes().substr(header_.data_begin);
}

std::string_view SafetensorsFile::head() const {
  return file_.bytes().substr(0, header_.data_begin);
}

}  // namespace leco
