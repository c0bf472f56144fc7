#pragma once

#include <evenkeel/core/random.h>
#include <evenkeel/nn/module.h>
#include <evenkeel/optim/state.h>

#include <concepts>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace evenkeel::io {

/// What can hand out its state and take it back: optimisers, schedules, data loaders.
template <class T>
concept Stateful = requires(T& object, const T& constant, const optim::StateDict& state) {
  { constant.state() } -> std::convertible_to<optim::StateDict>;
  object.load_state(state);
};

/// The parts of a training run, which are saved and restored together:
///
///     io::Checkpoint checkpoint;
///     checkpoint.add("model", net);  checkpoint.add("optimizer", adam);  checkpoint.add("loader", loader);
///     checkpoint.add("random", rng); checkpoint.add("step", step);
///     checkpoint.save("run.h5");
///
/// A run that loads it goes on to the bit as the one that saved it would have. The parts must outlive this.
class Checkpoint {
 public:
  // ConfigError for a name that is taken, empty or holds a slash.
  void add(const std::string& name, nn::Module& module);
  void add(const std::string& name, Rng& rng);
  void add(const std::string& name, std::int64_t& number);
  template <Stateful T>
  void add(const std::string& name, T& object) {
    add_part(name, {[&object] { return object.state(); },
                    [&object](const optim::StateDict& state) { object.load_state(state); }});
  }

  /// Replaces `path` all or nothing. ValueError if a weight is not finite; FileError if the file can not be
  /// written.
  void save(const std::string& path) const;
  /// Restores all parts or, if it throws, none: FileError for a file that is damaged or has other parts or
  /// another net's tensors; ConfigError or ShapeError for the state of another optimiser, schedule or loader.
  void load(const std::string& path);

 private:
  struct Part {
    std::function<optim::StateDict()> state;
    std::function<void(const optim::StateDict&)> load_state;
    nn::Module* module = nullptr;  // instead of the two
    std::string name = {};
  };
  void add_part(const std::string& name, Part part);

  std::vector<Part> parts_;
};

struct CheckpointSeriesOptions {
  std::int64_t keep = 2;  ///< checkpoints to keep, at least 2
};

/// The last checkpoints of a run, in a folder of their own: step-000000001200.h5.
class CheckpointSeries {
 public:
  /// Makes the folder. ConfigError for less than 2 to keep.
  explicit CheckpointSeries(const std::string& folder, const CheckpointSeriesOptions& options = {});

  /// Saves, reads the file back and checks it, and only then removes the oldest ones.
  void save(const Checkpoint& checkpoint, std::int64_t step) const;

  struct Loaded {
    std::string path;
    std::vector<std::string> passed_over;  ///< what was wrong with each newer file
  };
  /// Loads the newest checkpoint that is whole. None if there is no file; FileError if all are damaged.
  std::optional<Loaded> load_latest(Checkpoint& checkpoint) const;

 private:
  /// Newest first.
  std::vector<std::string> paths() const;

  std::string folder_;
  CheckpointSeriesOptions options_;
};

}  // namespace evenkeel::io
