#include <evenkeel/core/kernels/elementwise.h>

namespace evenkeel::kernels {

BroadcastPlan::BroadcastPlan(std::span<const std::int64_t> out, std::span<const std::int64_t> a,
                             std::span<const std::int64_t> b) {
  const auto rank = static_cast<int>(out.size());
  // From the innermost axis out; step of an axis that the operand repeats is 0.
  std::int64_t a_next = 1;
  std::int64_t b_next = 1;
  std::array<std::int64_t, kMaxAxes> sizes{}, a_steps{}, b_steps{};
  for (int i = 0; i < rank; ++i) {
    const std::int64_t length = out[rank - 1 - i];
    count *= length;
    if (length == 1) continue;
    const auto in = [&](std::span<const std::int64_t> shape) {
      return i < static_cast<int>(shape.size()) ? shape[shape.size() - 1 - i] : 1;
    };
    const std::int64_t step_a = in(a) == 1 ? 0 : a_next;
    const std::int64_t step_b = in(b) == 1 ? 0 : b_next;
    a_next *= in(a);
    b_next *= in(b);
    const int last = axes - 1;
    if (axes > 0 && (step_a == 0) == (a_steps[last] == 0) && (step_b == 0) == (b_steps[last] == 0)) {
      sizes[last] *= length;
    } else {
      sizes[axes] = length;
      a_steps[axes] = step_a;
      b_steps[axes] = step_b;
      ++axes;
    }
  }
  if (axes == 0) {
    sizes[0] = 1;
    a_steps[0] = b_steps[0] = 1;
    axes = 1;
  }
  for (int i = 0; i < axes; ++i) {
    size[i] = sizes[axes - 1 - i];
    a_step[i] = a_steps[axes - 1 - i];
    b_step[i] = b_steps[axes - 1 - i];
  }
}

}  // namespace evenkeel::kernels
