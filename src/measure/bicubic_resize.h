// Resizing of 8-bit pictures, to the bit as Pillow does it with BICUBIC: CLIP has seen its pictures so.
#pragma once

#include <torch/types.h>

namespace leco {

// picture (H, W, 3) uint8 → (height, width, 3) uint8. Keys' cubic with a = −1/2, stretched by the factor of
// shrinking, so that every input pixel counts; first along rows, then along columns, rounded to 8 bits after
// each; weights as 22-bit fixed point. Reference: ImagingResample in Pillow's Resample.c. Pillow 13 takes
// columns first in some shapes, which differs by a few levels at hard edges.
torch::Tensor resize_bicubic(const torch::Tensor& picture, int64_t height, int64_t width);

}  // namespace leco
