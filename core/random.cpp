#include <evenkeel/core/error.h>
#include <evenkeel/core/parallel.h>
#include <evenkeel/core/random.h>

#include <Random123/philox.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>
#include <string>

namespace evenkeel {

namespace {

constexpr std::int64_t kGrain = 1 << 14;

/// Two 53-bit uniform numbers in [0, 1) for one value of the counter.
std::array<double, 2> draw(std::uint64_t key, std::uint64_t counter) {
  const r123::Philox4x32 philox;
  const r123::Philox4x32::ctr_type in = {
      {static_cast<std::uint32_t>(counter), static_cast<std::uint32_t>(counter >> 32), 0, 0}};
  const r123::Philox4x32::key_type k = {
      {static_cast<std::uint32_t>(key), static_cast<std::uint32_t>(key >> 32)}};
  const auto bits = philox(in, k);
  const auto real = [](std::uint32_t high, std::uint32_t low) {
    const std::uint64_t word = (std::uint64_t{high} << 32) | low;
    return static_cast<double>(word >> 11) * 0x1p-53;
  };
  return {real(bits[0], bits[1]), real(bits[2], bits[3])};
}

/// Fills out[2i], out[2i+1] from counter + i.
template <class T, class F>
void fill_pairs(Rng::State& state, T* out, std::int64_t count, F&& transform) {
  const std::int64_t pairs = (count + 1) / 2;
  const Rng::State start = state;
  detail::parallel_shares(pairs, kGrain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const auto values = transform(draw(start.key, start.counter + static_cast<std::uint64_t>(i)));
      out[2 * i] = static_cast<T>(values[0]);
      if (2 * i + 1 < count) out[2 * i + 1] = static_cast<T>(values[1]);
    }
  });
  state.counter += static_cast<std::uint64_t>(pairs);
}

}  // namespace

Rng Rng::fork() {
  const auto bits = draw(state_.key, state_.counter++);
  return Rng(static_cast<std::uint64_t>(bits[0] * 0x1p53) ^
             (static_cast<std::uint64_t>(bits[1] * 0x1p53) << 11));
}

template <class T>
void Rng::uniform(T* out, std::int64_t count, double low, double high) {
  const T limit = std::nextafter(static_cast<T>(high), static_cast<T>(low));
  fill_pairs(state_, out, count, [=](std::array<double, 2> u) {
    const auto place = [=](double value) {
      return std::min(static_cast<T>(low + (high - low) * value), limit);
    };
    return std::array<T, 2>{place(u[0]), place(u[1])};
  });
}

template <class T>
void Rng::normal(T* out, std::int64_t count) {
  fill_pairs(state_, out, count, [](std::array<double, 2> u) {
    const double radius = std::sqrt(-2.0 * std::log(1.0 - u[0]));
    const double angle = 2.0 * std::numbers::pi * u[1];
    return std::array<double, 2>{radius * std::cos(angle), radius * std::sin(angle)};
  });
}

template void Rng::uniform(float*, std::int64_t, double, double);
template void Rng::uniform(double*, std::int64_t, double, double);
template void Rng::normal(float*, std::int64_t);
template void Rng::normal(double*, std::int64_t);

double Rng::uniform(double low, double high) {
  double value = 0;
  uniform(&value, 1, low, high);
  return value;
}

double Rng::normal() {
  double value = 0;
  normal(&value, 1);
  return value;
}

std::int64_t Rng::below(std::int64_t bound) {
  if (bound <= 0) throw ValueError("[rng] expected a bound above 0, got " + std::to_string(bound));
  const double value = draw(state_.key, state_.counter++)[0];
  return std::min(bound - 1, static_cast<std::int64_t>(value * static_cast<double>(bound)));
}

std::vector<std::int64_t> Rng::permutation(std::int64_t count) {
  std::vector<std::int64_t> order(static_cast<std::size_t>(count));
  std::iota(order.begin(), order.end(), std::int64_t{0});
  for (std::int64_t i = count - 1; i > 0; --i)
    std::swap(order[static_cast<std::size_t>(i)], order[static_cast<std::size_t>(below(i + 1))]);
  return order;
}

}  // namespace evenkeel
