#include <evenkeel/analysis/coord_check.h>
#include <evenkeel/core/error.h>
#include <evenkeel/core/layer_path.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace evenkeel::analysis {

namespace {

struct Call {
  std::string layer;
  nn::Module* module;
  Tensor input, output;
};

/// Keeps a copy of what every layer without children gets and gives.
class CallObserver : public nn::ModuleObserver {
 public:
  CallObserver() : outer_(nn::set_module_observer(this)) {}
  ~CallObserver() override { nn::set_module_observer(outer_); }
  CallObserver(const CallObserver&) = delete;
  CallObserver& operator=(const CallObserver&) = delete;

  void on_enter(nn::Module&, const Tensor&) override {}
  void on_exit(nn::Module& module, const Tensor& input, const Tensor& output) override {
    if (module.children().empty())
      calls.push_back({current_layer_path(), &module, input.clone(), output.clone()});
  }

  std::vector<Call> calls;

 private:
  nn::ModuleObserver* outer_;
};

double change_of(const Tensor& before, const Tensor& after) {
  return evenkeel::detail::dispatch_floating("coord_check", before.dtype(), [&]<class T>() {
    const T* a = before.data<T>();
    const T* b = after.data<T>();
    double squares = 0;
    for (std::int64_t i = 0; i < before.numel(); ++i)
      squares += (double{b[i]} - a[i]) * (double{b[i]} - a[i]);
    return std::sqrt(squares / static_cast<double>(std::max<std::int64_t>(before.numel(), 1)));
  });
}

std::vector<CoordLayer> make_layers(const std::vector<Call>& calls, const CoordCheckOptions& options) {
  const std::vector zeros(static_cast<std::size_t>(options.steps),
                          std::vector<double>(options.widths.size()));
  std::vector<CoordLayer> layers;
  for (const Call& call : calls) {
    layers.push_back({call.layer, {zeros, {}}, {}, false});
    if (!call.module->parameters().empty()) layers.back().own.change = zeros;
  }
  return layers;
}

/// Trains a net of one width and adds each layer's changes, divided by the number of seeds, at index `width`.
void watch(const Trainee& trainee, const Tensor& batch, const LossFunction& loss,
           const CoordCheckOptions& options, std::size_t width, std::vector<CoordLayer>& layers) {
  std::vector<Call> start;
  for (int step = 0; step <= options.steps; ++step) {
    std::vector<Call> now;
    const Tensor value = [&] {
      CallObserver observer;
      Tensor result = loss((*trainee.model)(batch));
      now = std::move(observer.calls);
      return result;
    }();
    if (step == 0) {
      start = std::move(now);
      if (layers.empty()) layers = make_layers(start, options);
    } else {
      const NoGradScope no_grad;
      const auto index = static_cast<std::size_t>(step - 1);
      for (std::size_t i = 0; i < layers.size(); ++i) {
        const Call& before = start.at(i);
        layers[i].total.change[index][width] += change_of(before.output, now.at(i).output) / options.seeds;
        if (!layers[i].own.change.empty())
          layers[i].own.change[index][width] +=
              change_of(before.output, before.module->forward(before.input)) / options.seeds;
      }
    }
    if (step == options.steps) return;
    value.backward();
    trainee.optimizer->step();
  }
}

double fitted_slope(const std::vector<std::int64_t>& widths, const std::vector<double>& changes) {
  if (std::all_of(changes.begin(), changes.end(), [](double change) { return change == 0; })) return 0;
  const auto count = static_cast<double>(widths.size());
  double mean_x = 0, mean_y = 0;
  for (std::size_t i = 0; i < widths.size(); ++i) {
    if (!(changes[i] > 0) || !std::isfinite(changes[i])) return std::numeric_limits<double>::quiet_NaN();
    mean_x += std::log2(static_cast<double>(widths[i])) / count;
    mean_y += std::log2(changes[i]) / count;
  }
  double xy = 0, xx = 0;
  for (std::size_t i = 0; i < widths.size(); ++i) {
    const double x = std::log2(static_cast<double>(widths[i])) - mean_x;
    xy += x * (std::log2(changes[i]) - mean_y);
    xx += x * x;
  }
  return xy / xx;
}

}  // namespace

CoordCheck coord_check(const MakeTrainee& make, const Tensor& batch, const LossFunction& loss,
                       const CoordCheckOptions& options) {
  if (options.widths.size() < 2 || options.seeds < 1 || options.steps < 1)
    throw ConfigError("[coord_check] expected at least 2 widths, 1 seed and 1 step, got " +
                      std::to_string(options.widths.size()) + ", " + std::to_string(options.seeds) + " and " +
                      std::to_string(options.steps));
  CoordCheck check{options.widths, {}};
  for (std::size_t width = 0; width < options.widths.size(); ++width) {
    for (int seed = 0; seed < options.seeds; ++seed) {
      Rng rng(static_cast<std::uint64_t>(seed));
      watch(make(options.widths[width], rng), batch, loss, options, width, check.layers);
    }
  }
  for (CoordLayer& layer : check.layers) {
    layer.is_flat = true;
    for (CoordCurve* curve : {&layer.total, &layer.own}) {
      for (const auto& changes : curve->change) {
        curve->slopes.push_back(fitted_slope(check.widths, changes));
        layer.is_flat = layer.is_flat && std::abs(curve->slopes.back()) <= options.tolerance;
      }
    }
  }
  return check;
}

bool CoordCheck::is_flat() const {
  return std::all_of(layers.begin(), layers.end(), [](const CoordLayer& layer) { return layer.is_flat; });
}

}  // namespace evenkeel::analysis
