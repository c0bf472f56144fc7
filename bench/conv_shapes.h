#pragma once

#include <evenkeel/core/kernels/conv.h>

#include <algorithm>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace evenkeel::bench {

struct ConvShape {
  std::string name;
  kernels::ConvGeometry g;
  bool transposed = false;  ///< then g is the convolution that it is the adjoint of
};

/// The shapes of conv_shapes.txt.
inline std::vector<ConvShape> read_conv_shapes(const std::string& path) {
  std::ifstream file(path);
  if (!file) throw std::runtime_error("cannot read " + path);
  const auto sizes = [](const std::string& text, int rank) {
    std::array<std::int64_t, 3> result{1, 1, 1};
    std::stringstream stream(text);
    std::string item;
    for (int i = 0; i < rank; ++i) {
      if (std::getline(stream, item, ','))
        result[i] = std::stoll(item);
      else
        result[i] = result[0];
    }
    return result;
  };
  std::vector<ConvShape> shapes;
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line[0] == '#') continue;
    std::istringstream stream(line);
    ConvShape s;
    std::string in, kernel, stride, dilation, padding, flag;
    stream >> s.name >> s.g.rank >> s.g.batch >> s.g.in_channels >> s.g.out_channels >> s.g.groups >> in >>
        kernel >> stride >> dilation >> padding >> flag;
    s.g.in = sizes(in, s.g.rank);
    s.g.kernel = sizes(kernel, s.g.rank);
    s.g.stride = sizes(stride, s.g.rank);
    s.g.dilation = sizes(dilation, s.g.rank);
    s.g.padding = sizes(padding, s.g.rank);
    s.transposed = flag == "t";
    for (int i = 0; i < s.g.rank; ++i) {
      const std::int64_t reach = s.g.dilation[i] * (s.g.kernel[i] - 1) + 1 - 2 * s.g.padding[i];
      s.g.out[i] =
          s.transposed ? (s.g.in[i] - 1) * s.g.stride[i] + reach : (s.g.in[i] - reach) / s.g.stride[i] + 1;
    }
    if (s.transposed) {
      std::swap(s.g.in, s.g.out);
      std::swap(s.g.in_channels, s.g.out_channels);
    }
    shapes.push_back(s);
  }
  return shapes;
}

}  // namespace evenkeel::bench
