#include <evenkeel/report/axis.h>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace evenkeel::report::detail {

namespace {

/// Decimals that a multiple of `step` needs.
int decimals_of(double step) {
  int decimals = 0;
  for (double x = step; decimals < 12 && std::abs(x - std::round(x)) > 1e-6 * x; x *= 10) ++decimals;
  return decimals;
}

/// `value` with the decimals of `step`; thousands, millions and billions by their letter.
std::string linear_label(double value, double step, double largest) {
  if (std::abs(value) < step / 2) return "0";
  if (largest >= 1e13 || largest < 1e-4) return fmt::format("{:.3g}", value);
  const auto scaled = [&](double unit, const char* letter) {
    return fmt::format("{:.{}f}{}", value / unit, decimals_of(step / unit), letter);
  };
  if (largest >= 2e9) return scaled(1e9, "G");
  if (largest >= 2e6) return scaled(1e6, "M");
  if (largest >= 1e4) return scaled(1e3, "k");
  return scaled(1, "");
}

std::string power_of_ten(int exponent) {
  const char* digits[] = {"⁰", "¹", "²", "³", "⁴", "⁵", "⁶", "⁷", "⁸", "⁹"};
  std::string text = exponent < 0 ? "10⁻" : "10";
  for (const char c : std::to_string(std::abs(exponent))) text += digits[c - '0'];
  return text;
}

}  // namespace

Axis::Axis(double low, double high, Scale scale, int ticks) : low_(low), high_(high), scale_(scale) {
  if (scale == Scale::log) {
    if (!(high_ > low_)) high_ = low_ * 10;
    place_log_ticks(ticks);
  } else {
    if (!(high_ > low_))
      low_ -= std::max(1e-9, std::abs(low_) / 2), high_ += std::max(1e-9, std::abs(high_) / 2);
    place_linear_ticks(ticks);
  }
}

bool Axis::holds(double value) const {
  return std::isfinite(value) && (scale_ == Scale::linear || value > 0);
}

double Axis::position(double value) const {
  return scale_ == Scale::log ? std::log(value / low_) / std::log(high_ / low_)
                              : (value - low_) / (high_ - low_);
}

void Axis::place_linear_ticks(int count) {
  const double rough = (high_ - low_) / std::max(count, 1);
  const auto round_step = [](int i) {
    constexpr double kMultiples[] = {1, 2, 2.5, 5};
    const int decade = i >= 0 ? i / 4 : -((3 - i) / 4);
    return kMultiples[i - 4 * decade] * std::pow(10.0, decade);
  };
  int i = 4 * static_cast<int>(std::floor(std::log10(rough)));
  while (round_step(i) < rough * 0.999) ++i;
  const auto first = [&] { return std::ceil(low_ / round_step(i) - 1e-9); };
  const auto last = [&] { return std::floor(high_ / round_step(i) + 1e-9); };
  while (last() < first() + 1) --i;  // one label alone gives no scale
  const double step = round_step(i);
  for (double k = first(); k <= last(); ++k)
    ticks_.push_back({k * step, linear_label(k * step, step, std::max(std::abs(low_), std::abs(high_)))});
}

void Axis::place_log_ticks(int count) {
  const int first = static_cast<int>(std::floor(std::log10(low_) + 1e-9));
  const int last = static_cast<int>(std::ceil(std::log10(high_) - 1e-9));
  const double decades = std::log10(high_ / low_);
  const bool plain = first >= -3 && last <= 4;
  const int stride = std::max(1, static_cast<int>(std::ceil(decades / std::max(count, 1))));
  for (int exponent = first; exponent <= last; ++exponent) {
    for (int digit = 1; digit < 10; ++digit) {
      const double value = digit * std::pow(10.0, exponent);
      if (value < low_ * (1 - 1e-9) || value > high_ * (1 + 1e-9)) continue;
      std::string label;
      if (digit == 1 && exponent % stride == 0)
        label = plain ? fmt::format("{:g}", value) : power_of_ten(exponent);
      if (digit != 1 && decades < 1) label = fmt::format("{:g}", value);
      if ((digit == 2 || digit == 5) && decades < 2) label = fmt::format("{:g}", value);
      ticks_.push_back({value, label});
    }
  }
}

Range range_of(const std::vector<const std::vector<double>*>& values, Scale scale) {
  Range range{std::numeric_limits<double>::infinity(), -std::numeric_limits<double>::infinity()};
  for (const auto* list : values) {
    for (const double value : *list) {
      if (!std::isfinite(value) || (scale == Scale::log && value <= 0)) continue;
      range.low = std::min(range.low, value);
      range.high = std::max(range.high, value);
    }
  }
  if (range.low <= range.high) return range;
  return scale == Scale::log ? Range{1, 10} : Range{0, 1};
}

}  // namespace evenkeel::report::detail
