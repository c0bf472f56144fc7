#include "support/layer_cases.h"

#include <evenkeel/nn/conv_transpose.h>
#include <evenkeel/nn/separable_conv.h>

namespace evenkeel::test {

using namespace nn;

std::vector<LayerCase> conv_path_cases() {
  std::vector<LayerCase> all;
  const auto add = [&](const char* name, const Shape& input, ConvOptions options) {
    options.in_channels = input[1];
    const MakeLayer make = input.rank() == 3   ? layer<Conv1d>(options)
                           : input.rank() == 4 ? layer<Conv2d>(options)
                                               : layer<Conv3d>(options);
    all.push_back({name, make, input});
  };
  const auto add_transposed = [&](const char* name, const Shape& input, ConvTransposeOptions options) {
    options.in_channels = input[1];
    const MakeLayer make =
        input.rank() == 3 ? layer<ConvTranspose1d>(options) : layer<ConvTranspose2d>(options);
    all.push_back({name, make, input});
  };
  // One product over the cells of all images.
  add("pointwise, 64 channels", {3, 64, 1001}, {.out_channels = 96, .kernel_size = 1});
  add("pointwise, 128 channels", {3, 128, 19, 17}, {.out_channels = 128, .kernel_size = 1});
  add("pointwise, one long signal", {1, 64, 5003}, {.out_channels = 64, .kernel_size = 1});
  add("pointwise, more weights than cells", {2, 256, 7, 9}, {.out_channels = 320, .kernel_size = 1});
  add("pointwise, volume", {4, 64, 5, 9, 11}, {.out_channels = 64, .kernel_size = 1});
  add("pointwise in groups", {6, 192, 17, 13}, {.out_channels = 128, .kernel_size = 1, .groups = 2});
  add("pointwise strided", {3, 64, 29, 31}, {.out_channels = 128, .kernel_size = 1, .stride = 2});
  add("pointwise strided by 3", {2, 128, 997}, {.out_channels = 72, .kernel_size = 1, .stride = 3});
  add_transposed("pointwise", {2, 64, 17, 19}, {.out_channels = 96, .kernel_size = 1});
  add_transposed("pointwise strided", {2, 96, 301}, {.out_channels = 64, .kernel_size = 1, .stride = 2});
  // Columns of gathered cells.
  add("narrow, stride 4", {48, 32, 8, 8}, {.out_channels = 96, .kernel_size = 4, .stride = 4});
  add("narrow, stride 2", {24, 48, 8, 8}, {.out_channels = 96, .kernel_size = 3, .stride = 2, .padding = 1});
  add("narrow", {24, 64, 4, 4}, {.out_channels = 64, .kernel_size = 3, .padding = 1});
  add("patches", {12, 16, 32, 32}, {.out_channels = 64, .kernel_size = 8, .stride = 8});
  add("few outputs of one signal", {1, 64, 70}, {.out_channels = 64, .kernel_size = 64});
  add("narrow volume", {24, 32, 4, 4, 4}, {.out_channels = 64, .kernel_size = 3, .stride = 2, .padding = 1});
  add("narrow in groups", {96, 64, 8, 8}, {.out_channels = 64, .kernel_size = 4, .stride = 4, .groups = 2});
  add_transposed("narrow", {24, 96, 2, 2}, {.out_channels = 32, .kernel_size = 4, .stride = 4});
  // Transformed products.
  add("transformed", {2, 64, 33, 31}, {.out_channels = 48, .kernel_size = 3, .padding = 1});
  add("transformed in squares", {12, 64, 16, 16}, {.out_channels = 48, .kernel_size = 3, .padding = 1});
  add("transformed in squares, many weights", {11, 136, 8, 12},
      {.out_channels = 128, .kernel_size = 3, .padding = 1});
  add("transformed in squares, volume", {2, 40, 6, 16, 15},
      {.out_channels = 40, .kernel_size = 3, .padding = 1});
  add("transformed, one signal", {1, 48, 2003}, {.out_channels = 48, .kernel_size = 5, .padding = 2});
  add("transformed and dilated", {1, 64, 2048},
      {.out_channels = 64, .kernel_size = 3, .padding = 8, .dilation = 8});
  add("transformed, volume", {3, 24, 10, 11, 13}, {.out_channels = 32, .kernel_size = 3, .padding = 1});
  add("transformed, kernel 3 by 1", {2, 48, 40, 24},
      {.out_channels = 48, .kernel_size = {3, 1}, .padding = {1, 0}});
  // Padded tiles.
  add("by channels", {4, 64, 45, 43}, {.out_channels = 64, .kernel_size = 3, .stride = 2, .padding = 1});
  add("first, of one channel", {3, 1, 5003}, {.out_channels = 33, .kernel_size = 3, .padding = 1});
  add("first, of three channels", {2, 3, 65, 63},
      {.out_channels = 64, .kernel_size = 7, .stride = 2, .padding = 3});
  add("last, of one channel", {8, 64, 37, 41}, {.out_channels = 1, .kernel_size = 3, .padding = 1});
  add("of many groups", {2, 96, 37, 41}, {.out_channels = 96, .kernel_size = 3, .padding = 1, .groups = 24});
  add("of 12 taps, one signal", {1, 64, 3000}, {.out_channels = 64, .kernel_size = 12, .stride = 2});
  // Channel by channel.
  add("depthwise", {16, 48, 1024}, {.out_channels = 48, .kernel_size = 7, .padding = 3, .groups = 48});
  add("depthwise, planes", {3, 48, 37, 41},
      {.out_channels = 48, .kernel_size = 7, .padding = 3, .groups = 48});
  add("depthwise, narrow planes", {32, 192, 7, 7},
      {.out_channels = 192, .kernel_size = 3, .padding = 1, .groups = 192});
  add("depthwise strided", {16, 48, 37, 41},
      {.out_channels = 48, .kernel_size = 3, .stride = 2, .padding = 1, .groups = 48});
  add("depthwise, volume", {2, 24, 11, 13, 17},
      {.out_channels = 24, .kernel_size = 3, .padding = 1, .groups = 24});
  add_transposed("depthwise", {3, 48, 19, 23},
                 {.out_channels = 48, .kernel_size = 4, .stride = 2, .groups = 48});
  return all;
}

}  // namespace evenkeel::test
