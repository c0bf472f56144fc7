#include <evenkeel/core/error.h>
#include <evenkeel/core/ops.h>
#include <evenkeel/nn/dropout.h>

#include <fmt/format.h>

namespace evenkeel::nn {

Dropout::Dropout(const DropoutOptions& options, Rng& rng) : p_(options.p) {
  if (!(p_ >= 0 && p_ <= 1))
    throw ConfigError(fmt::format("[Dropout] expected a probability p from 0 to 1, got {}", p_));
  const Rng::State state = rng.fork().state();
  rng_state_ = add_buffer(
      "rng_state",
      Tensor::from({static_cast<std::int64_t>(state.key), static_cast<std::int64_t>(state.counter)}, {2}),
      BufferKind::random_state);
}

Tensor Dropout::forward(const Tensor& x) {
  if (!is_training() || p_ == 0) return x;
  auto* state = rng_state_.mutable_data<std::int64_t>();
  Rng rng(0);
  rng.set_state({static_cast<std::uint64_t>(state[0]), static_cast<std::uint64_t>(state[1])});
  const Tensor out = dropout(x, p_, rng);
  state[1] = static_cast<std::int64_t>(rng.state().counter);
  return out;
}

std::string Dropout::extra_repr() const { return fmt::format("p={}", p_); }

}  // namespace evenkeel::nn
