#pragma once

#include <array>
#include <cstdint>
#include <vector>

namespace evenkeel {

/// Counter-based random numbers: Philox4x32-10 (Salmon et al., SC 2011). The whole state is a key and a
/// counter, so it can be saved, and the numbers do not depend on the number of threads.
class Rng {
 public:
  struct State {
    std::uint64_t key = 0;
    std::uint64_t counter = 0;
    bool operator==(const State&) const = default;
  };

  explicit Rng(std::uint64_t seed) : state_{seed, 0} {}

  State state() const { return state_; }
  void set_state(const State& state) { state_ = state; }

  /// An independent stream, made from this one's next numbers.
  Rng fork();

  /// `count` uniform numbers in [low, high).
  template <class T>
  void uniform(T* out, std::int64_t count, double low, double high);
  /// `count` normal numbers, mean 0 and deviation 1 (Box and Muller).
  template <class T>
  void normal(T* out, std::int64_t count);

  double uniform(double low = 0.0, double high = 1.0);
  double normal();
  /// A whole number in [0, bound). ValueError unless bound > 0.
  std::int64_t below(std::int64_t bound);
  /// 0 … count-1 in random order.
  std::vector<std::int64_t> permutation(std::int64_t count);

 private:
  State state_;
};

}  // namespace evenkeel
