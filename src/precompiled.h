// The headers that every file with tensors needs. They cost 20 s to parse, so they are parsed once. What they
// leave to be instantiated costs every file 2.7 s all the same, so that what few files need is not here.
#pragma once

#include <ATen/ATen.h>
#include <torch/types.h>

#include <fmt/format.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>
