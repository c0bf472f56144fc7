#pragma once

#include <evenkeel/core/kernels/conv.h>
#include <evenkeel/core/kernels/reduce.h>
#include <evenkeel/core/kernels/simd.h>
#include <evenkeel/core/parallel.h>
#include <evenkeel/core/storage.h>

#include <algorithm>
#include <cstdint>

/// How the depthwise convolutions share their planes out.
namespace evenkeel::kernels {

/// Planes worth handing to another thread, with `work` multiply-adds each.
inline std::int64_t depthwise_grain(std::int64_t work) {
  constexpr std::int64_t kWorthAPiece = 1 << 18;
  return std::max<std::int64_t>(kWorthAPiece / std::max<std::int64_t>(work, 1), 1);
}

/// Pieces of the batch whose sums of the weights' gradients are added in the end, if there are as many
/// channels, or blocks of them.
inline std::int64_t depthwise_cuts(std::int64_t channels, std::int64_t batch) {
  constexpr std::int64_t kWantedPieces = 16;
  return std::clamp<std::int64_t>(std::min(kWantedPieces / channels, batch), 1, kWantedPieces);
}

/// gw = the gradient of the weights + beta * gw. make_add() gives what a thread keeps: add(plane of x, plane
/// of gy, sums) adds a plane's products to sums[tap * lanes + lane]. Pieces of the batch that depend on the
/// sizes only are added in their order.
template <class T, class MakeAdd>
void depthwise_weight_sums(const ConvGeometry& g, const MakeAdd& make_add, const T* x, const T* gy, T* gw,
                           T beta) {
  constexpr int kLanes = Simd<T>::kLanes;
  const std::int64_t taps = product(as_volume(g.rank, g.kernel, 1));
  const std::int64_t in = product(as_volume(g.rank, g.in, 1)), out = product(as_volume(g.rank, g.out, 1));
  const std::int64_t cuts = depthwise_cuts(g.groups, g.batch);
  detail::Workspace<T> partial(static_cast<std::size_t>(cuts * g.groups * taps));
  const std::int64_t grain = depthwise_grain(g.batch / cuts * out * taps);
  detail::parallel_shares(cuts * g.groups, grain, [&](std::int64_t begin, std::int64_t end) {
    auto add = make_add();
    detail::Workspace<T> sums(static_cast<std::size_t>(taps * kLanes));
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t channel = i % g.groups, cut = i / g.groups;
      std::fill_n(sums.data(), taps * kLanes, T(0));
      for (std::int64_t image = g.batch * cut / cuts; image < g.batch * (cut + 1) / cuts; ++image) {
        const std::int64_t plane = image * g.groups + channel;
        add(x + plane * in, gy + plane * out, sums.data());
      }
      for (std::int64_t tap = 0; tap < taps; ++tap) {
        T total = 0;
        for (int lane = 0; lane < kLanes; ++lane) total += sums.data()[tap * kLanes + lane];
        partial.data()[i * taps + tap] = total;
      }
    }
  });
  sum_axis(1, cuts, g.groups * taps, T(1), partial.data(), beta, gw);
}

}  // namespace evenkeel::kernels
