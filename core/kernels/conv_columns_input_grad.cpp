#include <evenkeel/core/kernels/conv_cells.h>
#include <evenkeel/core/kernels/conv_columns.h>
#include <evenkeel/core/kernels/gemm_blocks.h>
#include <evenkeel/core/kernels/transpose.h>
#include <evenkeel/core/parallel.h>
#include <evenkeel/core/storage.h>

#include <algorithm>
#include <cmath>

namespace evenkeel::kernels {

namespace {

using S = Simd<float>;
constexpr std::int64_t kLanes = S::kLanes;
constexpr std::int64_t kMostSums = 1 << 19;  ///< of the outputs of an image, or of some

/// A vector of channels of one image: products [output][tap], `channels` apart, added to the cells they
/// belong to.
void add_to_cells(const CellOffsets& offsets, std::int64_t outputs, std::int64_t taps, std::int64_t channels,
                  const float* products, std::int64_t cells, std::int64_t pitch, float* to) {
  for (std::int64_t cell = 0; cell < cells; ++cell) S::store(to + cell * pitch, S::Vector{});
  for (std::int64_t output = 0; output < outputs; ++output) {
    const Sizes3 place = offsets.place(output);
    for (std::int64_t tap = 0; tap < taps; ++tap, products += channels)
      if (const std::int64_t at = offsets.offset(place, tap); at >= 0)
        S::store(to + at, S::load(to + at) + S::load(products));
  }
}

}  // namespace

bool conv_columns_input_grad_pays(const ConvGeometry& g) {
  if (!kWidePaths) return false;
  // What adding a product to its cell costs, in products; the rest is fitted.
  constexpr double kAddCost = 64, kGain = 3, kExact = 2;
  const Sizes3 in = as_volume(g.rank, g.in, 1), stride = as_volume(g.rank, g.stride, 1);
  const std::int64_t ins = g.in_channels / g.groups, outs = g.out_channels / g.groups;
  const std::int64_t outputs = product(as_volume(g.rank, g.out, 1));
  const std::int64_t sums = outputs * product(as_volume(g.rank, g.kernel, 1)) * ins;  // of an image
  if (sums > kMostSums) return false;
  const auto whole = [](std::int64_t count) { return ceil_div(count, S::kLanes) * S::kLanes; };
  // A turned convolution sums over as many cells of each phase, with whole vectors of a row, or at unit
  // strides by columns and vectors of channels, which leave out what is behind a row.
  double turned = static_cast<double>(whole(ceil_div(in[2], stride[2])));
  for (int axis = 0; axis < 2; ++axis) turned *= static_cast<double>(ceil_div(in[axis], stride[axis]));
  if (product(stride) == 1) turned = std::min(turned, kExact * static_cast<double>(product(in)));
  const double filled = static_cast<double>(ins) / static_cast<double>(whole(ins));
  const double sums_a_phase = static_cast<double>(g.batch * sums) / static_cast<double>(product(stride));
  return static_cast<double>(outputs) * std::sqrt(1 + kAddCost / static_cast<double>(outs)) *
             std::pow(sums_a_phase, 1.0 / 7) <
         kGain * turned * std::pow(filled, 0.25);
}

void conv_columns_input_grad(const ConvGeometry& g, const float* gy, const float* w, float* gx, float beta) {
  constexpr std::int64_t kLeastRows = 56;
  const Correlation shape = forward_correlation(g);
  const std::int64_t ins = g.in_channels / g.groups, outs = g.out_channels / g.groups;
  const std::int64_t taps = shape.taps(), outputs = product(shape.out), plane = product(shape.source);
  const std::int64_t width = taps * ins, rows = std::max(kMostSums / width, kLeastRows);
  const std::int64_t together = std::clamp<std::int64_t>(rows / outputs, 1, g.batch);
  ChannelsLast gradient(g.batch, outputs, outs), result(g.batch, plane, ins);
  const CellOffsets offsets(shape, result.pitch());
  detail::Workspace<float> weights(static_cast<std::size_t>(outs * width));
  for (std::int64_t group = 0; group < g.groups; ++group) {
    gradient.copy(gy + group * outs * outputs, g.out_channels * outputs);
    // Of each output channel as [tap][channel].
    detail::parallel_ranges(outs, ceil_div(kWorthMoving, width), [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t o = begin; o < end; ++o)
        transpose(w + (group * outs + o) * width, taps, ins, taps, weights.data() + o * width);
    });
    detail::parallel_ranges(ceil_div(g.batch, together), 1, [&](std::int64_t begin, std::int64_t end) {
      detail::Workspace<float> sums(static_cast<std::size_t>(together * outputs * width + kLanes));
      for (std::int64_t image = begin * together; image < std::min(end * together, g.batch);
           image += together) {
        const std::int64_t images = std::min(together, g.batch - image);
        multiply(ProductRows({gradient.image(image), 1, gradient.pitch()}, images * outputs, outs), width,
                 MatrixColumns{{weights.data(), width, 1}, sums.data(), width, false});
        const std::int64_t blocks = result.pitch() / kLanes;
        detail::parallel_ranges(images * blocks, ceil_div(kWorthMoving, outputs * taps * kLanes),
                                [&](std::int64_t first, std::int64_t last) {
                                  for (std::int64_t i = first; i < last; ++i) {
                                    const std::int64_t channel = i % blocks * kLanes;
                                    add_to_cells(offsets, outputs, taps, ins,
                                                 sums.data() + i / blocks * outputs * width + channel, plane,
                                                 result.pitch(), result.image(image + i / blocks) + channel);
                                  }
                                });
      }
    });
    result.copy_to(gx + group * ins * plane, g.in_channels * plane, beta != 0);
  }
}

}  // namespace evenkeel::kernels
