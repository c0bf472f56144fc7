#include "conv_reference.h"
#include "kernel_support.h"

#include <evenkeel/core/kernels/conv_channels.h>
#include <evenkeel/core/kernels/conv_columns.h>
#include <evenkeel/core/kernels/conv_direct.h>
#include <evenkeel/core/kernels/conv_linear.h>
#include <evenkeel/core/kernels/conv_pointwise.h>
#include <evenkeel/core/kernels/conv_winograd.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <initializer_list>
#include <random>
#include <utility>

using namespace evenkeel;
using namespace evenkeel::test;
using kernels::ConvGeometry;

namespace {

/// Batch, channels, sizes and options that between them take every path and every edge of it.
const std::vector<ConvCase>& cases() {
  static const std::vector<ConvCase> all{
      // Rank 1: plain, odd, size 1, kernel larger than the input, strides beyond the kernel, dilation.
      {1, 2, 3, 4, 1, {10}, {3}, {1}, {1}, {1}},
      {1, 1, 1, 1, 1, {1}, {1}, {1}, {1}, {0}},
      {1, 3, 1, 7, 1, {129}, {7}, {1}, {1}, {3}},
      {1, 2, 3, 70, 1, {67}, {5}, {1}, {1}, {2}},
      {1, 2, 70, 3, 1, {67}, {5}, {1}, {1}, {2}},
      {1, 2, 16, 33, 1, {50}, {3}, {2}, {1}, {0}},
      {1, 2, 16, 33, 1, {50}, {3}, {2}, {1}, {1}},
      {1, 1, 5, 6, 1, {2}, {5}, {1}, {1}, {2}},
      {1, 2, 4, 6, 1, {23}, {2}, {5}, {1}, {0}},
      {1, 2, 4, 6, 1, {23}, {3}, {2}, {4}, {4}},
      {1, 1, 48, 64, 1, {300}, {3}, {1}, {64}, {64}},
      {1, 1, 33, 65, 1, {530}, {12}, {1}, {1}, {6}},
      {1, 2, 64, 64, 1, {100}, {1}, {1}, {1}, {0}},
      {1, 2, 19, 37, 1, {33}, {1}, {1}, {1}, {0}},
      {1, 2, 19, 37, 1, {33}, {1}, {3}, {1}, {0}},
      {1, 2, 8, 8, 1, {16}, {1}, {1}, {1}, {2}},
      // Rows taken apart at every step, with three row blocks and more, and beyond the largest step.
      {1, 2, 5, 40, 1, {131}, {7}, {3}, {1}, {3}},
      {1, 2, 20, 30, 1, {233}, {5}, {4}, {1}, {2}},
      {1, 3, 4, 26, 1, {97}, {9}, {5}, {2}, {6}},
      {1, 2, 9, 37, 1, {401}, {5}, {6}, {5}, {2}},
      {1, 2, 6, 40, 1, {61}, {2}, {7}, {1}, {0}},
      {1, 2, 8, 30, 1, {530}, {16}, {8}, {1}, {4}},
      {1, 2, 8, 30, 1, {130}, {11}, {9}, {1}, {5}},
      {1, 3, 4, 30, 1, {1}, {3}, {4}, {1}, {2}},
      {1, 2, 90, 29, 1, {203}, {3}, {2}, {1}, {1}},
      // Groups and depthwise, with and without a multiplier.
      {1, 2, 6, 9, 3, {20}, {3}, {1}, {1}, {1}},
      {1, 2, 64, 32, 2, {40}, {3}, {2}, {1}, {1}},
      {1, 2, 32, 64, 16, {40}, {5}, {1}, {2}, {4}},
      {1, 2, 8, 8, 8, {77}, {7}, {1}, {1}, {3}},
      {1, 2, 8, 16, 8, {77}, {3}, {2}, {1}, {1}},
      {1, 2, 5, 5, 5, {21}, {3}, {3}, {2}, {2}},
      {1, 1, 3, 3, 3, {2}, {7}, {1}, {1}, {3}},
      // Right padding of its own ("same" with an even kernel), cells at the right that no window reads.
      {1, 2, 4, 5, 1, {20}, {4}, {1}, {1}, {1}, {1}},
      {1, 2, 4, 5, 1, {20}, {3}, {4}, {1}, {0}},
      {1, 2, 4, 5, 1, {20}, {3}, {1}, {1}, {2}, {-3}},
      {1, 2, 4, 5, 1, {20}, {3}, {2}, {1}, {1}, {2}},
      {1, 2, 4, 4, 4, {20}, {4}, {1}, {1}, {1}, {1}},
      // Rank 2.
      {2, 2, 3, 8, 1, {17, 13}, {3, 3}, {1, 1}, {1, 1}, {1, 1}},
      {2, 1, 3, 16, 1, {30, 22}, {7, 7}, {2, 2}, {1, 1}, {3, 3}},
      {2, 2, 40, 24, 1, {8, 8}, {3, 3}, {1, 1}, {1, 1}, {1, 1}},
      {2, 2, 9, 24, 1, {9, 41}, {3, 5}, {1, 2}, {2, 1}, {2, 0}},
      {2, 1, 4, 5, 1, {1, 1}, {3, 3}, {1, 1}, {1, 1}, {1, 1}},
      {2, 2, 16, 8, 1, {14, 14}, {1, 1}, {2, 2}, {1, 1}, {0, 0}},
      {2, 2, 16, 8, 1, {14, 14}, {1, 1}, {1, 1}, {1, 1}, {0, 0}},
      {2, 2, 6, 6, 6, {15, 19}, {3, 3}, {1, 1}, {1, 1}, {1, 1}},
      {2, 2, 6, 6, 6, {15, 19}, {5, 5}, {2, 2}, {1, 1}, {2, 2}},
      {2, 2, 6, 12, 6, {15, 8}, {3, 2}, {1, 2}, {2, 1}, {1, 1}},
      {2, 1, 8, 12, 4, {10, 11}, {3, 3}, {2, 1}, {1, 2}, {1, 2}},
      {2, 3, 9, 26, 1, {7, 13}, {3, 3}, {3, 3}, {1, 2}, {2, 2}},
      {2, 2, 16, 40, 1, {9, 70}, {3, 3}, {2, 4}, {1, 1}, {1, 1}},
      {2, 3, 20, 52, 2, {13, 14}, {3, 3}, {2, 2}, {1, 1}, {1, 1}},
      {2, 2, 3, 25, 1, {6, 90}, {2, 5}, {1, 3}, {1, 1}, {1, 0}},
      // Depthwise with enough planes to be read in place: short rows and long, masks at every edge.
      {1, 3, 5, 5, 5, {301}, {7}, {1}, {1}, {3}},
      {1, 4, 2, 2, 2, {601}, {5}, {2}, {1}, {2}},
      {1, 4, 2, 2, 2, {600}, {4}, {2}, {3}, {7}},
      {1, 3, 3, 3, 3, {400}, {70}, {1}, {2}, {60}},
      {1, 9, 1, 1, 1, {3}, {9}, {1}, {1}, {4}},
      {1, 2, 4, 4, 4, {20}, {1}, {2}, {1}, {0}},
      {2, 3, 4, 4, 4, {9, 33}, {3, 3}, {2, 2}, {1, 1}, {1, 1}},
      {2, 3, 4, 4, 4, {9, 160}, {3, 5}, {3, 2}, {2, 2}, {2, 3}},
      {3, 2, 4, 4, 4, {4, 6, 7}, {3, 3, 3}, {2, 1, 2}, {1, 1, 1}, {1, 1, 1}},
      // Depthwise by planes in a frame of zeros: blocks of rows and of vectors with every rest.
      {2, 4, 4, 4, 4, {7, 5}, {5, 5}, {1, 1}, {1, 1}, {2, 2}},
      {2, 3, 3, 3, 3, {2, 40}, {2, 3}, {1, 1}, {1, 2}, {1, 2}},
      {2, 9, 1, 1, 1, {5, 16}, {3, 3}, {1, 1}, {2, 1}, {0, 1}, {1, 3}},
      {2, 2, 4, 4, 4, {6, 33}, {3, 4}, {1, 1}, {1, 1}, {1, 2}, {0, -2}},
      {2, 8, 1, 1, 1, {3, 1}, {3, 3}, {1, 1}, {1, 1}, {1, 1}},
      {3, 2, 5, 5, 5, {3, 5, 18}, {2, 3, 3}, {1, 1, 1}, {1, 1, 1}, {1, 1, 1}},
      {2, 2, 4, 4, 4, {150, 500}, {3, 3}, {1, 1}, {1, 1}, {1, 1}},
      // Depthwise by vectors of channels: rests of channels, planes of one cell and of several parts a row,
      // strides and dilations whose phases have no taps, kernels beyond the plane, even ones.
      {2, 2, 16, 16, 16, {1, 1}, {3, 3}, {1, 1}, {1, 1}, {1, 1}},
      {2, 3, 19, 19, 19, {2, 5}, {3, 3}, {1, 1}, {1, 1}, {1, 1}},
      {2, 2, 33, 33, 33, {7, 7}, {5, 5}, {1, 1}, {1, 1}, {2, 2}},
      {2, 3, 31, 31, 31, {8, 8}, {4, 2}, {1, 1}, {1, 1}, {1, 0}, {1, 1}},
      {2, 2, 17, 17, 17, {7, 9}, {7, 7}, {1, 1}, {1, 1}, {3, 3}},
      {2, 5, 16, 16, 16, {6, 7}, {3, 3}, {1, 1}, {2, 2}, {2, 2}},
      {2, 2, 20, 20, 20, {9, 17}, {5, 6}, {1, 1}, {1, 1}, {2, 3}, {0, -1}},
      {2, 2, 24, 24, 24, {14, 14}, {3, 3}, {2, 2}, {1, 1}, {1, 1}},
      {2, 2, 18, 18, 18, {13, 30}, {5, 5}, {2, 2}, {1, 2}, {2, 4}},
      {2, 1, 40, 40, 40, {9, 11}, {3, 1}, {3, 2}, {1, 1}, {0, 0}},
      {2, 2, 16, 16, 16, {6, 8}, {2, 4}, {1, 2}, {2, 1}, {0, 3}, {1, -2}},
      {3, 2, 17, 17, 17, {4, 3, 5}, {3, 3, 3}, {1, 1, 1}, {1, 1, 1}, {1, 1, 1}},
      {3, 1, 22, 22, 22, {5, 6, 7}, {3, 2, 3}, {2, 1, 2}, {1, 2, 1}, {1, 1, 1}},
      {1, 40, 16, 16, 16, {7}, {3}, {1}, {1}, {1}},
      {1, 3, 50, 50, 50, {37}, {9}, {1}, {3}, {12}},
      {1, 3, 21, 21, 21, {60}, {15}, {2}, {1}, {7}},
      // Transformed along the last axis: one piece of taps and several, odd ends, kernel beyond the input.
      {1, 3, 16, 18, 1, {203}, {3}, {1}, {1}, {1}},
      {1, 1, 20, 37, 1, {1100}, {5}, {1}, {1}, {2}},
      {1, 2, 17, 16, 1, {401}, {12}, {1}, {1}, {6}},
      {1, 9, 32, 40, 2, {66}, {6}, {1}, {1}, {0}},
      {1, 130, 16, 16, 1, {4}, {9}, {1}, {1}, {4}},
      {1, 2, 210, 24, 1, {260}, {3}, {1}, {1}, {1}},
      {2, 12, 24, 17, 1, {7, 7}, {3, 3}, {1, 1}, {1, 1}, {1, 1}},
      {2, 2, 18, 16, 1, {21, 30}, {2, 3}, {1, 1}, {3, 1}, {1, 2}},
      {2, 1, 33, 16, 1, {5, 160}, {1, 3}, {1, 1}, {1, 1}, {0, 1}, {0, 2}},
      {2, 1, 16, 16, 1, {30, 60}, {3, 3}, {1, 1}, {1, 1}, {0, -1}},
      {3, 2, 16, 16, 1, {5, 7, 14}, {3, 3, 3}, {1, 1, 1}, {1, 1, 1}, {1, 1, 1}},
      // Rows of up to 16 quadruples that fill vectors together: rests of quadruples and of vectors, planes of
      // several tiles, results that join where the cells do not, and rows one quadruple too long.
      {2, 3, 20, 17, 1, {9, 4}, {3, 3}, {1, 1}, {1, 1}, {1, 1}},
      {2, 5, 16, 20, 1, {6, 3}, {3, 3}, {1, 1}, {1, 1}, {1, 1}},
      {2, 2, 17, 18, 1, {25, 13}, {3, 3}, {1, 1}, {1, 1}, {1, 1}},
      {2, 3, 16, 16, 2, {7, 14}, {1, 3}, {1, 1}, {1, 1}, {0, 1}},
      {2, 1, 24, 20, 1, {40, 31}, {5, 3}, {1, 1}, {2, 1}, {4, 1}},
      {2, 2, 4, 5, 1, {30, 50}, {3, 3}, {1, 1}, {1, 1}, {1, 1}},
      {2, 1, 6, 3, 1, {21, 61}, {3, 3}, {1, 1}, {1, 1}, {0, 1}},
      {2, 1, 6, 5, 1, {20, 64}, {3, 3}, {1, 1}, {1, 1}, {1, 1}},
      {2, 1, 6, 5, 1, {20, 65}, {3, 3}, {1, 1}, {1, 1}, {1, 1}},
      {2, 3, 9, 8, 1, {11, 18}, {3, 3}, {1, 1}, {1, 1}, {1, 0}},
      {2, 2, 9, 8, 1, {9, 62}, {1, 13}, {1, 1}, {1, 1}, {0, 6}},
      {3, 2, 8, 9, 1, {4, 6, 10}, {3, 3, 3}, {1, 1, 1}, {1, 1, 1}, {1, 1, 1}},
      {3, 2, 16, 14, 1, {9, 7, 5}, {3, 1, 3}, {1, 1, 1}, {1, 1, 1}, {1, 0, 1}},
      // Kernels that cover the whole input.
      {1, 4, 9, 6, 1, {7}, {7}, {1}, {1}, {0}},
      {2, 3, 12, 10, 2, {5, 4}, {5, 4}, {1, 1}, {1, 1}, {0, 0}},
      {2, 3, 6, 8, 1, {5, 4}, {5, 4}, {3, 1}, {1, 1}, {1, 0}},
      {1, 3, 6, 8, 1, {5}, {3}, {3}, {1}, {0}},
      {2, 1, 33, 70, 1, {1, 1}, {1, 1}, {2, 2}, {1, 1}, {0, 0}},
      {3, 20, 3, 2, 1, {2, 1, 3}, {2, 1, 3}, {1, 1, 1}, {1, 1, 1}, {0, 0, 0}},
      // Weights transformed in passing: more than stay in a cache, for the cells of one tile.
      {1, 20, 592, 596, 4, {20}, {3}, {1}, {1}, {1}},
      {1, 1, 310, 320, 2, {395}, {5}, {1}, {1}, {2}},
      // Transformed rows that are dilated, whose sequences take turns: elements of two lanes and more,
      // vectors
      // of neighbours, ends in the middle of a turn, paddings that are no multiples, rows of several tiles.
      {1, 3, 16, 18, 1, {203}, {3}, {1}, {2}, {2}},
      {1, 2, 86, 87, 1, {203}, {3}, {1}, {3}, {5}},
      {1, 2, 17, 20, 1, {150}, {5}, {1}, {4}, {7}},
      {1, 2, 45, 43, 1, {190}, {5}, {1}, {6}, {11}},
      {1, 3, 16, 16, 1, {301}, {3}, {1}, {8}, {3}},
      {1, 2, 32, 40, 2, {333}, {7}, {1}, {8}, {20}},
      {1, 2, 24, 22, 1, {337}, {3}, {1}, {12}, {5}, {19}},
      {1, 2, 16, 19, 1, {250}, {5}, {1}, {16}, {33}},
      {1, 3, 32, 31, 1, {271}, {7}, {1}, {17}, {50}},
      {1, 2, 17, 17, 1, {240}, {3}, {1}, {31}, {0}},
      {1, 1, 16, 16, 1, {4500}, {3}, {1}, {2}, {2}},
      {1, 1, 17, 16, 1, {2700}, {13}, {1}, {4}, {24}},
      {1, 1, 22, 23, 1, {5003}, {5}, {1}, {24}, {49}},
      {1, 1, 17, 17, 1, {2750}, {3}, {1}, {700}, {700}},
      {2, 12, 24, 17, 1, {7, 7}, {3, 3}, {1, 1}, {2, 2}, {2, 2}},
      {2, 3, 16, 16, 1, {9, 16}, {3, 3}, {1, 1}, {4, 4}, {4, 4}},
      {2, 2, 18, 16, 1, {21, 30}, {2, 3}, {1, 1}, {3, 2}, {1, 3}},
      {2, 2, 32, 32, 2, {8, 64}, {3, 5}, {1, 1}, {1, 8}, {1, 9}, {0, 5}},
      {2, 1, 16, 16, 1, {12, 126}, {3, 3}, {1, 1}, {16, 16}, {16, 17}, {0, -1}},
      {2, 2, 26, 28, 1, {18, 20}, {3, 1}, {1, 1}, {1, 1}, {1, 0}},
      {2, 2, 30, 29, 1, {37, 9}, {5, 1}, {1, 1}, {2, 1}, {4, 0}},
      {3, 2, 16, 16, 1, {5, 7, 14}, {3, 3, 3}, {1, 1, 1}, {1, 2, 2}, {1, 2, 2}},
      {3, 2, 22, 22, 1, {10, 4, 6}, {3, 1, 1}, {1, 1, 1}, {1, 1, 1}, {1, 0, 0}},
      // Axes that a kernel leaves alone join the one before, where that has no stride.
      {2, 2, 7, 30, 1, {9, 13}, {3, 1}, {1, 1}, {2, 1}, {2, 0}},
      {2, 2, 7, 30, 1, {9, 13}, {3, 1}, {2, 1}, {1, 1}, {1, 0}},
      {2, 2, 7, 30, 1, {9, 13}, {1, 1}, {1, 1}, {1, 1}, {0, 0}, {0, 1}},
      {2, 2, 6, 6, 6, {9, 13}, {5, 1}, {1, 1}, {1, 1}, {2, 0}},
      {3, 2, 5, 9, 1, {6, 5, 4}, {3, 1, 1}, {1, 1, 1}, {1, 1, 1}, {1, 0, 0}},
      {3, 2, 5, 9, 1, {6, 5, 4}, {1, 1, 3}, {1, 1, 1}, {1, 1, 1}, {0, 0, 1}},
      {3, 2, 5, 9, 1, {6, 5, 4}, {2, 3, 1}, {1, 1, 1}, {1, 2, 1}, {0, 1, 0}},
      // Pointwise as one product: strips of cells that lie in one image and in many, rests of every size,
      // sums in one part and in several, planes of one cell.
      {1, 40, 64, 70, 1, {1}, {1}, {1}, {1}, {0}},
      {1, 50, 64, 66, 1, {3}, {1}, {1}, {1}, {0}},
      {2, 5, 64, 80, 1, {7, 7}, {1, 1}, {1, 1}, {1, 1}, {0, 0}},
      {2, 9, 180, 180, 1, {7, 7}, {1, 1}, {1, 1}, {1, 1}, {0, 0}},
      {2, 3, 128, 130, 2, {5, 9}, {1, 1}, {1, 1}, {1, 1}, {0, 0}},
      {1, 3, 400, 67, 1, {33}, {1}, {1}, {1}, {0}},
      {1, 2, 70, 800, 1, {31}, {1}, {1}, {1}, {0}},
      {1, 9, 390, 64, 1, {16}, {1}, {1}, {1}, {0}},
      {1, 1, 64, 64, 1, {32}, {1}, {1}, {1}, {0}},
      {1, 2, 65, 64, 1, {600}, {1}, {1}, {1}, {0}},
      {1, 2, 16, 37, 1, {513}, {1}, {1}, {1}, {0}},
      {1, 1, 32, 140, 2, {1201}, {1}, {1}, {1}, {0}},
      {1, 1, 3, 17, 1, {700}, {1}, {1}, {1}, {0}},
      {1, 1, 144, 288, 1, {513}, {1}, {1}, {1}, {0}},
      {1, 1, 2, 3, 1, {32768}, {1}, {1}, {1}, {0}},
      {1, 2, 16, 40, 1, {600}, {1}, {1}, {1}, {1}, {-3}},
      {1, 2, 65, 64, 1, {67}, {1}, {2}, {1}, {0}},
      {1, 2, 64, 64, 1, {67}, {1}, {2}, {1}, {0}, {-3}},
      {2, 3, 70, 64, 1, {14, 13}, {1, 1}, {2, 3}, {1, 1}, {0, 0}},
      {3, 2, 64, 128, 1, {6, 5, 9}, {1, 1, 1}, {2, 1, 2}, {1, 1, 1}, {0, 0, 0}},
      {3, 2, 64, 65, 1, {3, 4, 5}, {1, 1, 1}, {1, 1, 1}, {1, 1, 1}, {0, 0, 0}},
      // Narrow outputs by gathered columns: few outputs of a wide input, large strides and dilations, cells
      // that no output reads, weights turned and not, sums in several parts, groups, images in several
      // chunks.
      {2, 3, 20, 40, 1, {8, 8}, {3, 3}, {4, 4}, {1, 1}, {1, 1}},
      {2, 70, 24, 33, 1, {6, 5}, {3, 2}, {2, 2}, {1, 2}, {1, 0}},
      {2, 1, 40, 64, 1, {16, 16}, {7, 7}, {4, 4}, {1, 1}, {3, 3}},
      {2, 2, 33, 40, 1, {13, 13}, {3, 3}, {1, 1}, {3, 3}, {4, 0}},
      {2, 5, 80, 72, 2, {9, 9}, {5, 3}, {3, 3}, {1, 2}, {2, 1}},
      {2, 4, 36, 50, 1, {3, 3}, {3, 3}, {1, 1}, {1, 1}, {1, 1}},
      {2, 40, 33, 40, 1, {3, 3}, {3, 3}, {1, 1}, {1, 1}, {1, 1}},
      {2, 100, 64, 40, 1, {8, 8}, {5, 5}, {4, 4}, {1, 1}, {2, 2}},
      {2, 40, 33, 20, 1, {1, 1}, {3, 3}, {2, 2}, {1, 1}, {1, 1}},
      {2, 1, 80, 100, 2, {8, 8}, {5, 5}, {4, 4}, {1, 1}, {2, 2}},
      {2, 9, 130, 33, 1, {2, 2}, {3, 3}, {1, 1}, {1, 1}, {1, 1}},
      {1, 40, 32, 35, 1, {31}, {9}, {1}, {3}, {0}},
      {1, 3, 64, 600, 1, {9}, {3}, {2}, {1}, {1}},
      {2, 3, 70, 5, 1, {8, 9}, {3, 3}, {1, 1}, {1, 1}, {0, 0}},
      {3, 2, 36, 34, 1, {6, 5, 7}, {3, 5, 3}, {2, 2, 2}, {2, 1, 3}, {1, 0, 2}},
      {3, 1, 50, 16, 1, {10, 8, 8}, {4, 4, 4}, {4, 4, 4}, {3, 3, 3}, {6, 6, 6}},
      {3, 130, 33, 40, 1, {2, 3, 3}, {2, 2, 2}, {2, 1, 2}, {1, 1, 1}, {0, 0, 0}},
      // Small layers with many weights: tiles cut by rows, weight gradients by output channels.
      {1, 2, 20, 130, 1, {50}, {3}, {2}, {1}, {1}},
      {1, 2, 300, 140, 1, {9}, {1}, {1}, {1}, {0}},
      {1, 2, 1, 140, 1, {20}, {1}, {1}, {1}, {0}},
      {2, 5, 20, 130, 1, {14, 14}, {3, 3}, {1, 1}, {1, 1}, {1, 1}},
      // Narrow rows: copied for every tap, or walked over with the gaps between them.
      {2, 3, 6, 16, 1, {12, 12}, {5, 5}, {1, 1}, {1, 1}, {0, 0}},
      {2, 2, 5, 200, 1, {6, 5}, {3, 3}, {1, 1}, {1, 1}, {1, 1}},
      {2, 2, 16, 64, 1, {17, 17}, {1, 7}, {1, 1}, {1, 1}, {0, 3}},
      // Squares of outputs: rows of whole vectors and of pieces, wide ones, cut along both axes, weights
      // transformed in passing, several pieces of kernels, planes one behind the other and with gaps.
      {2, 3, 5, 18, 1, {9, 16}, {3, 3}, {1, 1}, {1, 1}, {1, 1}},
      {2, 2, 9, 7, 1, {10, 32}, {3, 3}, {1, 1}, {1, 1}, {1, 1}},
      {2, 2, 4, 6, 1, {6, 64}, {3, 3}, {1, 1}, {1, 1}, {1, 1}},
      {2, 1, 6, 5, 1, {5, 75}, {3, 3}, {1, 1}, {1, 1}, {1, 1}},
      {2, 1, 60, 60, 1, {50, 33}, {3, 3}, {1, 1}, {1, 1}, {1, 1}},
      {2, 1, 60, 60, 1, {5, 264}, {3, 3}, {1, 1}, {1, 1}, {1, 1}},
      {2, 2, 140, 110, 1, {7, 9}, {3, 3}, {1, 1}, {1, 1}, {1, 1}},
      {2, 2, 6, 10, 2, {11, 14}, {5, 4}, {1, 1}, {1, 1}, {2, 2}},
      {2, 2, 5, 9, 1, {12, 30}, {7, 7}, {1, 1}, {1, 1}, {3, 3}},
      {2, 3, 7, 6, 1, {8, 9}, {3, 3}, {1, 1}, {1, 1}, {4, 3}},
      {3, 3, 6, 8, 1, {5, 6, 20}, {1, 3, 3}, {1, 1, 1}, {1, 1, 1}, {0, 1, 1}},
      {3, 2, 5, 9, 1, {6, 9, 7}, {3, 5, 3}, {1, 1, 1}, {2, 1, 1}, {1, 2, 0}},
      {3, 1, 40, 40, 1, {2, 20, 70}, {3, 3, 3}, {1, 1, 1}, {1, 1, 1}, {1, 1, 1}},
      // By vectors of output channels: rows of every width and rest, one to four vectors at a time.
      {2, 2, 36, 64, 1, {9, 7}, {3, 3}, {2, 1}, {1, 1}, {1, 1}},
      {2, 3, 40, 100, 1, {11, 15}, {3, 3}, {2, 2}, {1, 1}, {1, 1}},
      {2, 5, 48, 48, 1, {5, 5}, {3, 3}, {1, 1}, {1, 1}, {1, 1}},
      {2, 3, 32, 64, 1, {4, 4}, {2, 2}, {1, 1}, {1, 1}, {1, 1}},
      {2, 1, 38, 32, 1, {3, 29}, {2, 4}, {1, 1}, {2, 1}, {1, 2}},
      {1, 2, 64, 80, 2, {59}, {5}, {2}, {1}, {2}},
      {1, 2, 32, 64, 1, {131}, {4}, {3}, {1}, {0}},
      {1, 1, 34, 64, 1, {1300}, {4}, {2}, {1}, {1}},
      {1, 40, 32, 33, 1, {12}, {6}, {2}, {1}, {2}},
      // Strides that are kept, and one too large for that.
      {1, 2, 32, 64, 1, {120}, {9}, {4}, {1}, {4}},
      {2, 2, 16, 24, 1, {15, 22}, {3, 3}, {3, 4}, {1, 1}, {1, 1}},
      {2, 2, 24, 64, 1, {9, 41}, {5, 7}, {2, 5}, {1, 1}, {2, 3}},
      {2, 2, 3, 40, 1, {15, 30}, {5, 6}, {2, 4}, {1, 1}, {2, 3}},
      {3, 2, 32, 36, 1, {5, 4, 13}, {3, 3, 3}, {2, 2, 1}, {1, 1, 1}, {1, 1, 1}},
      // Rank 3.
      {3, 1, 3, 6, 1, {5, 7, 9}, {3, 3, 3}, {1, 1, 1}, {1, 1, 1}, {1, 1, 1}},
      // Cut along every axis, with padding that some rows of a kernel read alone.
      {3, 1, 12, 16, 1, {7, 26, 21}, {3, 3, 3}, {1, 1, 1}, {1, 1, 1}, {1, 1, 1}},
      {3, 1, 9, 32, 1, {9, 25, 27}, {3, 5, 2}, {2, 1, 1}, {1, 2, 1}, {2, 4, 1}},
      {3, 2, 8, 16, 1, {6, 6, 6}, {3, 3, 3}, {2, 2, 2}, {1, 1, 1}, {1, 1, 1}},
      {3, 2, 7, 27, 1, {5, 6, 35}, {3, 2, 3}, {2, 1, 2}, {1, 1, 1}, {1, 0, 1}},
      {3, 1, 4, 4, 2, {4, 5, 40}, {2, 3, 1}, {1, 2, 1}, {2, 1, 1}, {1, 0, 0}},
      {3, 1, 4, 4, 4, {4, 6, 7}, {3, 3, 3}, {1, 1, 1}, {1, 1, 1}, {1, 1, 1}},
      {3, 1, 16, 8, 1, {4, 4, 4}, {1, 1, 1}, {1, 1, 1}, {1, 1, 1}, {0, 0, 0}},
  };
  return all;
}

std::string describe(const ConvGeometry& g) {
  std::string text = "rank " + std::to_string(g.rank) + " batch " + std::to_string(g.batch) + " channels " +
                     std::to_string(g.in_channels) + "->" + std::to_string(g.out_channels) + " groups " +
                     std::to_string(g.groups);
  for (int i = 0; i < g.rank; ++i)
    text += " [in " + std::to_string(g.in[i]) + " k " + std::to_string(g.kernel[i]) + " s " +
            std::to_string(g.stride[i]) + " d " + std::to_string(g.dilation[i]) + " p " +
            std::to_string(g.padding[i]) + "]";
  return text;
}

/// Transformed sums cancel a little: those of squares by some 4 times the rounding of plain ones.
template <class T>
constexpr double kOfTransformed = std::is_same_v<T, float> ? 4 * kTolerance<T> : kTolerance<T>;

template <class T>
struct Data {
  explicit Data(const ConvGeometry& g)
      : x(noise<T>(x_count(g), 1)),
        w(noise<T>(w_count(g), 2)),
        bias(noise<T>(g.out_channels, 3)),
        gy(noise<T>(y_count(g), 4)) {}
  std::vector<T> x, w, bias, gy;
};

/// The rules that choose a path have many edges: small geometries drawn at random find the corners between.
std::vector<ConvGeometry> random_geometries(int count) {
  std::mt19937 generator(7);
  const auto one_of = [&](std::initializer_list<std::int64_t> choices) {
    return choices.begin()[generator() % choices.size()];
  };
  std::vector<ConvGeometry> drawn;
  while (static_cast<int>(drawn.size()) < count) {
    const int rank = static_cast<int>(one_of({1, 2, 3}));
    const std::int64_t longest = rank == 1 ? 50 : rank == 2 ? 12 : 6, groups = one_of({1, 1, 1, 2});
    ConvCase c{rank,
               one_of({1, 2, 5, 20, 50}),
               groups * one_of({1, 3, 8, 12, 16, 20, 33, 64, 70}),
               groups * one_of({1, 3, 8, 12, 16, 20, 33, 64, 70}),
               groups,
               {},
               {},
               {},
               {},
               {}};
    for (int axis = 0; axis < rank; ++axis) {
      c.in[axis] = 1 + static_cast<std::int64_t>(generator()) % longest;
      c.kernel[axis] = one_of({1, 1, 2, 3, 3, 5});
      c.stride[axis] = one_of({1, 1, 2, 3, 4});
      c.dilation[axis] = one_of({1, 1, 2, 3});
      c.padding[axis] = one_of({0, 1, c.dilation[axis] * (c.kernel[axis] - 1) / 2, 3});
      c.extra[axis] = one_of({0, 0, 1, -1});
    }
    bool whole = true;
    const std::int64_t pairs = c.batch * c.in_channels * c.out_channels / groups;
    auto products = static_cast<double>(pairs);
    const ConvGeometry g = c.geometry();
    for (int axis = 0; axis < rank; ++axis) {
      whole =
          whole && c.in[axis] + 2 * c.padding[axis] + c.extra[axis] > c.dilation[axis] * (c.kernel[axis] - 1);
      products *= static_cast<double>(g.out[axis] * g.kernel[axis]);
    }
    if (whole && products < 4e6) drawn.push_back(g);
  }
  return drawn;
}

using Path = std::pair<const char*, std::function<void(float*)>>;

bool has_unit_strides(const ConvGeometry& g) {
  return std::all_of(g.stride.begin(), g.stride.begin() + g.rank, [](auto stride) { return stride == 1; });
}

/// Along the last two axes.
bool has_neighbouring_taps(const ConvGeometry& g) {
  return g.rank > 1 && g.dilation[g.rank - 1] == 1 && g.dilation[g.rank - 2] == 1;
}

bool has_one_cell(const ConvGeometry& g) {
  for (int axis = 0; axis < g.rank; ++axis)
    if (g.kernel[axis] != 1 || g.padding[axis] != 0 || (g.out[axis] - 1) * g.stride[axis] >= g.in[axis])
      return false;
  return true;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(conv_kernel_test)

/// Whatever path the rules would take, each of them is right wherever it can be taken.
BOOST_AUTO_TEST_CASE(every_path_gives_the_sums_over_the_window) {
  if (!kernels::kWidePaths) BOOST_TEST_MESSAGE("paths of products of packed matrices are not in this build");
  for (const ConvCase& c : cases()) {
    const ConvGeometry g = c.geometry();
    const Data<float> d(g);
    std::vector<double> y_sum(d.gy.size()), x_sum(d.x.begin(), d.x.end()), w_sum(d.w.begin(), d.w.end());
    for_each_product(g, [&](auto x, auto w, auto y) {
      y_sum[y] += double(d.x[x]) * double(d.w[w]);
      x_sum[x] += double(d.gy[y]) * double(d.w[w]);
      w_sum[w] += double(d.gy[y]) * double(d.x[x]);
    });
    const std::int64_t cells = y_count(g) / (g.batch * g.out_channels);
    for (std::size_t i = 0; i < y_sum.size(); ++i)
      y_sum[i] += double(d.bias[std::int64_t(i) / cells % g.out_channels]);
    const float *x = d.x.data(), *w = d.w.data(), *bias = d.bias.data(), *gy = d.gy.data();
    const bool unit = has_unit_strides(g), one_cell = has_one_cell(g);
    const auto forward = [&](float* y) { return kernels::forward_pass(g, x, w, bias, y); };
    const auto backward = [&](float* gx) { return kernels::input_grad_pass(g, gy, w, gx, 1.0f); };

    std::vector<Path> to_y{{"direct", [&](float* y) { kernels::conv_direct(forward(y)); }},
                           {"channels", [&](float* y) { kernels::conv_by_channels(forward(y)); }}};
    std::vector<Path> to_gx{{"direct", [&](float* gx) { kernels::conv_direct(backward(gx)); }},
                            {"channels", [&](float* gx) { kernels::conv_by_channels(backward(gx)); }}};
    std::vector<Path> to_gw{
        {"direct", [&](float* gw) { kernels::conv_direct_weight_grad(g, x, gy, gw, 1.0f); }},
        {"dot", [&](float* gw) { kernels::conv_dot_weight_grad(g, x, gy, gw, 1.0f); }}};
    if (kernels::kWidePaths) {
      to_y.push_back({"columns", [&](float* y) { kernels::conv_by_columns(forward(y)); }});
      if (unit) to_gx.push_back({"columns", [&](float* gx) { kernels::conv_by_columns(backward(gx)); }});
      to_gx.push_back(
          {"columns to cells", [&](float* gx) { kernels::conv_columns_input_grad(g, gy, w, gx, 1.0f); }});
      to_gw.push_back({"columns", [&](float* gw) { kernels::conv_columns_weight_grad(g, x, gy, gw, 1.0f); }});
    }
    if (kernels::kWidePaths && one_cell) {
      to_y.push_back({"pointwise", [&](float* y) { kernels::conv_pointwise_forward(g, x, w, bias, y); }});
      to_gx.push_back(
          {"pointwise", [&](float* gx) { kernels::conv_pointwise_input_grad(g, gy, w, gx, 1.0f); }});
      to_gw.push_back(
          {"pointwise", [&](float* gw) { kernels::conv_pointwise_weight_grad(g, x, gy, gw, 1.0f); }});
    }
    if (kernels::conv_is_linear(g)) {
      to_y.push_back({"linear", [&](float* y) { kernels::conv_linear_forward(g, x, w, bias, y); }});
      to_gx.push_back({"linear", [&](float* gx) { kernels::conv_linear_input_grad(g, gy, w, gx, 1.0f); }});
      to_gw.push_back({"linear", [&](float* gw) { kernels::conv_linear_weight_grad(g, x, gy, gw, 1.0f); }});
    }
    using kernels::WinogradForm;
    for (const auto form : {WinogradForm::rows, WinogradForm::squares}) {
      const bool squares = form == WinogradForm::squares;
      if (!unit || (squares && !has_neighbouring_taps(g))) continue;
      const char* name = squares ? "winograd squares" : "winograd rows";
      to_y.push_back({name, [&, form](float* y) { kernels::conv_winograd_forward(g, form, x, w, bias, y); }});
      to_gx.push_back(
          {name, [&, form](float* gx) { kernels::conv_winograd_input_grad(g, form, gy, w, gx, 1.0f); }});
      to_gw.push_back(
          {name, [&, form](float* gw) { kernels::conv_winograd_weight_grad(g, form, x, gy, gw, 1.0f); }});
    }
    const auto check = [&](const char* pass, const std::vector<Path>& paths, const std::vector<float>& start,
                           const std::vector<double>& expected, double tolerance) {
      for (const auto& [name, run] : paths)
        BOOST_TEST_CONTEXT(pass << " by " << name << ", " << describe(g)) {
          auto result = start;
          run(result.data());
          check_close(result, expected, tolerance);
        }
    };
    check("forward", to_y, garbage<float>(y_count(g)), y_sum, kOfTransformed<float>);
    check("gradient of the input", to_gx, d.x, x_sum, kOfTransformed<float>);
    // Rounding grows with the root of the summands, of which some paths have all in one sum.
    const std::int64_t outputs = y_count(g) / g.out_channels;
    check("gradient of the weights", to_gw, d.w, w_sum,
          kTolerance<float> * std::max(4.0, std::sqrt(static_cast<double>(outputs)) / 16));
  }
}

BOOST_AUTO_TEST_CASE(random_geometries_give_the_sums_over_the_window) {
  for (const ConvGeometry& g : random_geometries(400)) {
    BOOST_TEST_CONTEXT(describe(g)) {
      const Data<float> d(g);
      std::vector<double> y_sum(d.gy.size()), x_sum(d.x.size()), w_sum(d.w.size());
      for_each_product(g, [&](auto x, auto w, auto y) {
        y_sum[y] += double(d.x[x]) * double(d.w[w]);
        x_sum[x] += double(d.gy[y]) * double(d.w[w]);
        w_sum[w] += double(d.gy[y]) * double(d.x[x]);
      });
      auto y = garbage<float>(y_count(g)), gx = garbage<float>(x_count(g)), gw = garbage<float>(w_count(g));
      kernels::conv_forward<float>(g, d.x.data(), d.w.data(), nullptr, y.data());
      kernels::conv_input_grad<float>(g, d.gy.data(), d.w.data(), gx.data(), 0);
      kernels::conv_weight_grad<float>(g, d.x.data(), d.gy.data(), gw.data(), 0);
      check_close(y, y_sum, kOfTransformed<float>);
      check_close(gx, x_sum, kOfTransformed<float>);
      check_close(gw, w_sum, 4 * kTolerance<float>);
    }
  }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(forward_is_the_sum_over_the_window, T, FloatTypes) {
  for (const ConvCase& c : cases()) {
    const ConvGeometry g = c.geometry();
    BOOST_TEST_CONTEXT(describe(g)) {
      const Data<T> d(g);
      std::vector<double> expected(d.gy.size());
      for_each_product(g, [&](auto x, auto w, auto y) { expected[y] += double(d.x[x]) * double(d.w[w]); });
      auto y = garbage<T>(y_count(g));
      kernels::conv_forward<T>(g, d.x.data(), d.w.data(), nullptr, y.data());
      check_close(y, expected, kOfTransformed<T>);
      const std::int64_t cells = y_count(g) / (g.batch * g.out_channels);
      for (std::size_t i = 0; i < expected.size(); ++i)
        expected[i] += double(d.bias[std::int64_t(i) / cells % g.out_channels]);
      y = garbage<T>(y_count(g));
      kernels::conv_forward<T>(g, d.x.data(), d.w.data(), d.bias.data(), y.data());
      check_close(y, expected, kOfTransformed<T>);
    }
  }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(input_gradient_is_the_adjoint_and_accumulates, T, FloatTypes) {
  for (const ConvCase& c : cases()) {
    const ConvGeometry g = c.geometry();
    BOOST_TEST_CONTEXT(describe(g)) {
      const Data<T> d(g);
      std::vector<double> expected(d.x.size());
      for_each_product(g, [&](auto x, auto w, auto y) { expected[x] += double(d.gy[y]) * double(d.w[w]); });
      auto gx = garbage<T>(x_count(g));
      kernels::conv_input_grad<T>(g, d.gy.data(), d.w.data(), gx.data(), 0);
      check_close(gx, expected, kOfTransformed<T>);
      gx = d.x;
      for (std::size_t i = 0; i < expected.size(); ++i) expected[i] += double(d.x[i]);
      kernels::conv_input_grad<T>(g, d.gy.data(), d.w.data(), gx.data(), 1);
      check_close(gx, expected, kOfTransformed<T>);
    }
  }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(weight_gradient_is_the_adjoint_and_accumulates, T, FloatTypes) {
  for (const ConvCase& c : cases()) {
    const ConvGeometry g = c.geometry();
    BOOST_TEST_CONTEXT(describe(g)) {
      const Data<T> d(g);
      std::vector<double> expected(d.w.size());
      for_each_product(g, [&](auto x, auto w, auto y) { expected[w] += double(d.gy[y]) * double(d.x[x]); });
      auto gw = garbage<T>(w_count(g));
      kernels::conv_weight_grad<T>(g, d.x.data(), d.gy.data(), gw.data(), 0);
      check_close(gw, expected, 4 * kTolerance<T>);
      gw = d.w;
      for (std::size_t i = 0; i < expected.size(); ++i) expected[i] += double(d.w[i]);
      kernels::conv_weight_grad<T>(g, d.x.data(), d.gy.data(), gw.data(), 1);
      check_close(gw, expected, 4 * kTolerance<T>);
    }
  }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(padding_alone_gives_the_bias_and_zero_gradients, T, FloatTypes) {
  for (const ConvCase& c : {ConvCase{1, 1, 16, 32, 1, {0}, {3}, {1}, {1}, {2}},
                            ConvCase{2, 2, 16, 40, 1, {4, 0}, {3, 3}, {1, 1}, {1, 1}, {1, 2}},
                            ConvCase{1, 2, 1, 1, 1, {0}, {2}, {1}, {1}, {1}}}) {
    const ConvGeometry g = c.geometry();
    BOOST_TEST_CONTEXT(describe(g)) {
      const Data<T> d(g);
      std::vector<T> y = garbage<T>(y_count(g)), gw = garbage<T>(w_count(g)), gx;
      kernels::conv_forward<T>(g, d.x.data(), d.w.data(), d.bias.data(), y.data());
      kernels::conv_input_grad<T>(g, d.gy.data(), d.w.data(), gx.data(), 0);
      kernels::conv_weight_grad<T>(g, d.x.data(), d.gy.data(), gw.data(), 0);
      const std::int64_t cells = y_count(g) / (g.batch * g.out_channels);
      BOOST_REQUIRE_GT(cells, 0);
      for (std::size_t i = 0; i < y.size(); ++i)
        BOOST_CHECK_EQUAL(y[i], d.bias[std::int64_t(i) / cells % g.out_channels]);
      check_close(gw, std::vector<double>(gw.size()), 0);
    }
  }
}

BOOST_AUTO_TEST_CASE(an_empty_batch_gives_nothing_and_a_zero_weight_gradient) {
  ConvGeometry g = ConvCase{1, 2, 3, 4, 1, {10}, {3}, {1}, {1}, {1}}.geometry();
  g.batch = 0;
  const auto w = noise<float>(w_count(g), 1);
  std::vector<float> nothing(1), gw = garbage<float>(w_count(g));
  kernels::conv_forward<float>(g, nothing.data(), w.data(), nullptr, nothing.data());
  kernels::conv_input_grad<float>(g, nothing.data(), w.data(), nothing.data(), 0);
  kernels::conv_weight_grad<float>(g, nothing.data(), nothing.data(), gw.data(), 0);
  check_close(gw, std::vector<float>(gw.size()));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(bits_do_not_depend_on_the_thread_count, T, FloatTypes) {
  for (const ConvCase& c : cases()) {
    const ConvGeometry g = c.geometry();
    const Data<T> d(g);
    BOOST_TEST_CONTEXT(describe(g)) {
      check_same_bits_at_any_thread_count([&] {
        auto y = garbage<T>(y_count(g)), gx = garbage<T>(x_count(g)), gw = garbage<T>(w_count(g));
        kernels::conv_forward<T>(g, d.x.data(), d.w.data(), d.bias.data(), y.data());
        kernels::conv_input_grad<T>(g, d.gy.data(), d.w.data(), gx.data(), 0);
        kernels::conv_weight_grad<T>(g, d.x.data(), d.gy.data(), gw.data(), 0);
        return joined({y, gx, gw});
      });
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()
