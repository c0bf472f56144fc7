#pragma once

#include <evenkeel/core/kernels/conv_tile.h>
#include <evenkeel/core/kernels/conv_winograd.h>
#include <evenkeel/core/kernels/conv_winograd_squares.h>

/// What Winograd's passes read, and how it gets into their tiles.
namespace evenkeel::kernels::winograd {

/// Quadruples of a row of `length` outputs in which `turns` sequences take turns.
inline std::int64_t quadruples(std::int64_t length, std::int64_t turns) {
  return ceil_div(ceil_div(length, turns), kOutputs) * turns;
}

/// x -> y, or turned gy -> gx, with the outputs of the last axis, or the last two, in quadruples and their
/// taps in pieces of three. A dilation leaves that many sequences that take turns, and their quadruples do so
/// too.
Correlation correlation(const ConvGeometry& g, WinogradForm form, bool turned);

/// Fills a tile by rows, or, given memory for theirs, by squares: to[p * pitch + …] = the cells at point p,
/// laid out as the plan says.
void fill_tile(const TilePlan& plan, const Correlation& shape, const JoinedRows& joined, const Tile& t,
               const float* source, std::int64_t image_stride, std::int64_t channels, std::int64_t pitch,
               SquareRows* squares, float* to);

}  // namespace evenkeel::kernels::winograd
