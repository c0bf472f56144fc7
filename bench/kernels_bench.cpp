// Times every convolution of conv_shapes.txt: one JSON object a line with milliseconds of the forward pass,
// the gradient of the input and that of the weights, and their shares of the machine's SGEMM peak. Usage:
// kernels_bench SHAPES THREADS [NAME…]
#include "conv_shapes.h"

#include <evenkeel/core/build_info.h>
#include <evenkeel/core/kernels/gemm.h>
#include <evenkeel/core/kernels/spatial.h>
#include <evenkeel/core/parallel.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <iostream>

using namespace evenkeel;

namespace {

/// Processor time of this thread where it works alone, so that other programs disturb little; else time on
/// the wall.
double seconds() {
  timespec now{};
  clock_gettime(num_threads() == 1 ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

/// Shortest time of one call, over about a tenth of a second and at least five calls.
template <class F>
double best_time(F&& f) {
  f();
  double best = 1e9;
  double total = 0;
  for (int i = 0; i < 5 || (total < 0.1 && i < 1000); ++i) {
    const double start = seconds();
    f();
    const double time = seconds() - start;
    best = std::min(best, time);
    total += time;
  }
  return best;
}

double sgemm_peak() {
  constexpr std::int64_t kSide = 768;
  std::vector<float> a(kSide * kSide, 1.0f), b(kSide * kSide, 1.0f), c(kSide * kSide);
  const double time = best_time([&] {
    kernels::gemm_parallel<float>(false, false, kSide, kSide, kSide, 1, a.data(), kSide, b.data(), kSide, 0,
                                  c.data(), kSide);
  });
  return 2e-9 * kSide * kSide * kSide / time;
}

std::vector<float> numbers(std::int64_t count) {
  std::vector<float> values(static_cast<std::size_t>(count));
  std::uint32_t state = 1;
  for (float& value : values)
    value = static_cast<float>((state = state * 1664525u + 1013904223u) >> 8) / (1 << 24) - 0.5f;
  return values;
}

void time_shape(const bench::ConvShape& shape, double peak) {
  const auto& [name, g, transposed] = shape;
  const std::int64_t in = kernels::product(kernels::as_volume(g.rank, g.in, 1));
  const std::int64_t out = kernels::product(kernels::as_volume(g.rank, g.out, 1));
  const std::int64_t taps = kernels::product(kernels::as_volume(g.rank, g.kernel, 1));
  const auto x = numbers(g.batch * g.in_channels * in), gy = numbers(g.batch * g.out_channels * out);
  const auto w = numbers(g.out_channels * g.in_channels / g.groups * taps);
  std::vector<float> y(gy.size()), gx(x.size()), gw(w.size());
  double forward = best_time([&] { kernels::conv_forward<float>(g, x.data(), w.data(), nullptr, y.data()); });
  double input = best_time([&] { kernels::conv_input_grad<float>(g, gy.data(), w.data(), gx.data(), 0); });
  const double weight =
      best_time([&] { kernels::conv_weight_grad<float>(g, x.data(), gy.data(), gw.data(), 0); });
  if (transposed) std::swap(forward, input);
  const double work = 2e-9 * static_cast<double>(g.batch * out * g.out_channels) *
                      static_cast<double>(g.in_channels / g.groups * taps);
  std::printf(
      "{\"name\": \"%s\", \"forward_ms\": %.4f, \"input_grad_ms\": %.4f, \"weight_grad_ms\": %.4f, "
      "\"train_gflops\": %.1f, \"share_of_peak\": [%.2f, %.2f, %.2f]}\n",
      name.c_str(), forward * 1e3, input * 1e3, weight * 1e3, 3 * work / (forward + input + weight),
      work / forward / peak, work / input / peak, work / weight / peak);
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr, "usage: %s SHAPES THREADS [NAME...]\n", argv[0]);
    return 2;
  }
  set_num_threads(std::atoi(argv[2]));
  const std::vector<std::string> names(argv + 3, argv + argc);
  const double peak = sgemm_peak();
  std::fprintf(stderr, "%s; SGEMM peak %.0f GFLOP/s\n", build_info().c_str(), peak);
  const auto shapes = bench::read_conv_shapes(argv[1]);
  const auto run = [&](const std::string& name) {
    for (const auto& shape : shapes)
      if (shape.name == name) time_shape(shape, peak);
  };
  if (names == std::vector<std::string>{"-"}) {
    for (std::string name; std::getline(std::cin, name);) run(name);
  } else {
    for (const auto& shape : shapes)
      if (names.empty() || std::find(names.begin(), names.end(), shape.name) != names.end())
        time_shape(shape, peak);
  }
}
