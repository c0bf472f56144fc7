#pragma once

#include <evenkeel/report/svg.h>

#include <string>
#include <vector>

namespace evenkeel::report::detail {

struct Tick {
  double value;
  std::string label;  // empty for a minor tick
};

/// The range of one axis and where its ticks are.
class Axis {
 public:
  /// The range [low, high]; `ticks` is about how many labels there is room for.
  Axis(double low, double high, Scale scale, int ticks);

  bool holds(double value) const;
  /// 0 at the low end, 1 at the high end.
  double position(double value) const;
  const std::vector<Tick>& ticks() const { return ticks_; }

 private:
  void place_linear_ticks(int count);
  void place_log_ticks(int count);

  double low_, high_;
  Scale scale_;
  std::vector<Tick> ticks_;
};

/// Smallest and largest finite value (above 0 if `scale` is log); {0, 1} (or {1, 10}) if there is none.
struct Range {
  double low, high;
};
Range range_of(const std::vector<const std::vector<double>*>& values, Scale scale);

}  // namespace evenkeel::report::detail
