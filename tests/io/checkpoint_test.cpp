#include <evenkeel/core/error.h>
#include <evenkeel/core/ops.h>
#include <evenkeel/io/atomic_file.h>
#include <evenkeel/io/checkpoint.h>
#include <evenkeel/io/hdf5.h>
#include <evenkeel/io/loader.h>
#include <evenkeel/io/sealed_file.h>
#include <evenkeel/io/weights.h>
#include <evenkeel/nn/dropout.h>
#include <evenkeel/nn/linear.h>
#include <evenkeel/nn/sequential.h>
#include <evenkeel/optim/adam.h>
#include <evenkeel/optim/schedule.h>
#include <evenkeel/optim/sgd.h>

#include <boost/test/unit_test.hpp>

#include <cerrno>
#include <cstdlib>
#include <limits>
#include <string>
#include <vector>

#include "io/mutations.h"
#include "support/faults.h"
#include "support/temp_folder.h"

namespace ek = evenkeel;
using ek::Tensor;
using ek::io::Checkpoint;
using ek::io::CheckpointSeries;
using ek::test::TempFolder;

namespace {

using Bytes = std::vector<std::byte>;

struct Run {
  explicit Run(int width = 3)
      : net(ek::nn::Linear({.in_features = 2, .out_features = width}, rng), ek::nn::Dropout({.p = 0.5}, rng)),
        adam(net.named_parameters(), {.lr = 0.1}),
        schedule(adam, ek::optim::cosine_annealing_lr({.T_max = 50})),
        loader(ek::io::TensorDataset(Tensor::randn({10, 2}, rng)), {.batch_size = 3, .shuffle = true}) {
    checkpoint.add("model", net);
    checkpoint.add("optimizer", adam);
    checkpoint.add("schedule", schedule);
    checkpoint.add("loader", loader);
    checkpoint.add("random", rng);
    checkpoint.add("step", step);
  }
  void train(int batches) {
    while (batches > 0)
      for (auto [inputs, targets] : loader) {
        net(inputs + Tensor::randn(inputs.shape(), rng))
            .backward(Tensor::ones({inputs.dim(0), net.parameters()[1].tensor().dim(0)}));
        adam.step();
        schedule.step();
        ++step;
        if (--batches == 0) break;
      }
  }
  /// Everything, as the bytes of a checkpoint.
  Bytes state() const {
    const TempFolder folder;
    checkpoint.save(folder / "state.h5");
    return ek::io::read_file(folder / "state.h5");
  }

  ek::Rng rng{4};
  ek::nn::Sequential net;
  ek::optim::Adam adam;
  ek::optim::LRScheduler schedule;
  ek::io::DataLoader loader;
  std::int64_t step = 0;
  Checkpoint checkpoint;
};

/// Text of the Error that loading throws; nothing may have changed then.
template <class ErrorType>
std::string refusal(Run& run, const std::string& path) {
  const Bytes before = run.state();
  std::string text;
  try {
    run.checkpoint.load(path);
  } catch (const ErrorType& error) {
    text = error.what();
  }
  BOOST_TEST((run.state() == before), "a refused load changed the run");
  return text;
}

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

bool run_program(const std::string& optimizer, const std::string& from, const std::string& to, int last_step,
                 int threads) {
  const std::string program = std::string(EVENKEEL_BINARY_DIR) + "/tests/resume_program";
  const std::string numbers = std::to_string(last_step) + " " + std::to_string(threads);
  return std::system((program + " " + optimizer + " " + from + " " + to + " " + numbers).c_str()) == 0;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(checkpoint_test)

BOOST_AUTO_TEST_CASE(a_restored_run_has_the_same_state_and_goes_on_the_same) {
  const TempFolder folder;
  Run run, other;
  run.train(7);
  run.checkpoint.save(folder / "run.h5");
  other.train(2);
  BOOST_TEST((other.state() != run.state()));
  other.checkpoint.load(folder / "run.h5");
  BOOST_TEST((other.state() == run.state()));
  run.train(9);
  other.train(9);
  BOOST_TEST(other.step == 16);
  BOOST_TEST((other.state() == run.state()));
}

BOOST_AUTO_TEST_CASE(random_streams_of_layers_are_saved_and_restored) {
  const TempFolder folder;
  const std::string path = folder / "run.h5";
  Run run, other;
  run.train(3);
  run.checkpoint.save(path);
  const ek::io::detail::Hdf5Reader reader(ek::io::read_file(path), path);
  BOOST_TEST(
      (reader.names("/model").datasets == std::vector<std::string>{"0.bias", "0.weight", "1.rng_state"}));
  const auto stream = [](const Run& of) {
    return of.net.named_buffers().at(0).tensor.to_vector<std::int64_t>();
  };
  BOOST_TEST(stream(other) != stream(run));
  other.checkpoint.load(path);
  BOOST_TEST(stream(other) == stream(run));
  const Tensor ones = Tensor::ones({4, 2});
  BOOST_TEST(other.net(ones).detach().to_vector<float>() == run.net(ones).detach().to_vector<float>());
}

BOOST_AUTO_TEST_CASE(two_schedules_of_one_optimiser_are_restored_in_any_order) {
  const TempFolder folder;
  struct TwoSchedules : Run {
    explicit TwoSchedules(bool plateau_first = true) : plateau(adam, {.factor = 0.3, .patience = 1}) {
      if (plateau_first) all.add("plateau", plateau);
      all.add("schedule", schedule);
      all.add("optimizer", adam);
      if (!plateau_first) all.add("plateau", plateau);
    }
    /// The rates of some more steps; the plateau sees no progress.
    std::vector<double> rates(int count) {
      std::vector<double> seen;
      for (; count > 0; --count) {
        train(1);
        if (step % 2 == 0) plateau.step(1);
        seen.push_back(adam.groups()[0].lr);
      }
      return seen;
    }
    ek::optim::ReduceLROnPlateau plateau;
    Checkpoint all;
  };
  for (const bool plateau_first : {true, false})
    for (int cut = 1; cut < 12; ++cut) {
      TwoSchedules run, other(plateau_first);
      run.rates(cut);
      run.all.save(folder / "run.h5");
      other.step = run.step;
      other.all.load(folder / "run.h5");
      BOOST_TEST(other.adam.groups()[0].lr == run.adam.groups()[0].lr);
      BOOST_TEST(other.rates(10) == run.rates(10));
    }
}

BOOST_AUTO_TEST_CASE(a_new_process_goes_on_to_the_bit) {
  const TempFolder folder;
  const int last = 17;  // two epochs of six batches, and a part of the third
  int cuts = 0, different = 0;
  for (const std::string optimizer : {"sgd", "adam", "adamw"}) {
    BOOST_REQUIRE(run_program(optimizer, "-", folder / "whole.h5", last, 1));
    const Bytes whole = ek::io::read_file(folder / "whole.h5");
    for (int cut = 1; cut < last; ++cut) {
      BOOST_REQUIRE(run_program(optimizer, "-", folder / "first.h5", cut, 2));
      BOOST_REQUIRE(run_program(optimizer, folder / "first.h5", folder / "second.h5", last, 1));
      ++cuts;
      different += ek::io::read_file(folder / "second.h5") != whole;
    }
  }
  BOOST_TEST_MESSAGE("runs resumed in a new process: " << cuts << ", with another result: " << different);
  BOOST_TEST(different == 0);
}

BOOST_AUTO_TEST_CASE(parts_that_do_not_fit_are_refused_and_nothing_changes) {
  const TempFolder folder;
  const std::string path = folder / "run.h5";
  Run run, wide(4);
  wide.train(2);
  wide.checkpoint.save(path);
  run.train(1);
  BOOST_TEST(has(refusal<ek::FileError>(run, path), "shape of 0.weight: expected [3, 2], got [4, 2]"));

  Checkpoint fewer;
  fewer.add("model", run.net);
  fewer.save(path);
  const std::string text = refusal<ek::FileError>(run, path);
  BOOST_TEST(has(text, "expected the parts loader, model, optimizer, random, schedule, step"), text);
  BOOST_TEST(has(text, "got model"), text);

  // Another optimiser's state is found out last: what was restored before it is put back.
  Run same;
  same.train(5);
  ek::optim::SGD sgd(same.net.named_parameters(), {.lr = 0.1, .momentum = 0.9});
  Checkpoint other;
  other.add("model", same.net);
  other.add("optimizer", sgd);
  other.add("schedule", same.schedule);
  other.add("loader", same.loader);
  other.add("random", same.rng);
  other.add("step", same.step);
  other.save(path);
  BOOST_TEST(refusal<ek::ConfigError>(run, path) != "");
  Checkpoint reordered;
  reordered.add("random", run.rng);
  reordered.add("step", run.step);
  reordered.add("schedule", run.schedule);
  reordered.add("loader", run.loader);
  reordered.add("model", run.net);
  reordered.add("optimizer", run.adam);
  const Bytes before = run.state();
  BOOST_CHECK_THROW(reordered.load(path), ek::ConfigError);
  BOOST_TEST((run.state() == before));

  ek::io::save_weights(path, run.net);
  BOOST_TEST(has(refusal<ek::FileError>(run, path), "expected evenkeel.checkpoint"));
  const std::string foreign = std::string(EVENKEEL_SOURCE_DIR) + "/tests/io/data/plain.h5";
  BOOST_TEST(has(refusal<ek::FileError>(run, foreign), "HDF5 of another program"));
  run.checkpoint.save(path);
  BOOST_CHECK_THROW(ek::io::load_weights(path, run.net), ek::FileError);
}

BOOST_AUTO_TEST_CASE(names_of_parts_are_checked) {
  Run run;
  BOOST_CHECK_THROW(run.checkpoint.add("step", run.step), ek::ConfigError);
  BOOST_CHECK_THROW(run.checkpoint.add("a/b", run.step), ek::ConfigError);
  BOOST_CHECK_THROW(run.checkpoint.add("", run.step), ek::ConfigError);
}

BOOST_AUTO_TEST_CASE(a_net_with_nan_does_not_replace_a_good_checkpoint) {
  const TempFolder folder;
  Run run;
  run.checkpoint.save(folder / "run.h5");
  const Bytes good = ek::io::read_file(folder / "run.h5");
  Tensor(run.net.parameters()[0].tensor()).fill_(std::numeric_limits<double>::quiet_NaN());
  BOOST_CHECK_THROW(run.checkpoint.save(folder / "run.h5"), ek::ValueError);
  BOOST_TEST((ek::io::read_file(folder / "run.h5") == good));
}

BOOST_AUTO_TEST_CASE(damaged_checkpoints_are_refused_every_time) {
  const TempFolder folder;
  Run run;
  run.train(3);
  run.checkpoint.save(folder / "good.h5");
  const Bytes good = ek::io::read_file(folder / "good.h5");
  const auto is_refused = [](const Bytes& bytes) {
    try {
      ek::io::detail::check_seal(bytes, "mutation");
    } catch (const ek::FileError&) {
      return true;
    }
    return false;
  };
  std::size_t tried = 0, silent = 0;
  Bytes bytes = good;
  for (std::size_t at = 0; at < good.size();
       ++at) {  // every byte, to another value that depends on the place
    bytes[at] ^= static_cast<std::byte>(1 + at % 255);
    silent += !is_refused(bytes);
    bytes[at] = good[at];
    ++tried;
  }
  for (std::size_t size = 0; size < good.size(); ++size) {  // every length
    silent += !is_refused(Bytes(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(size)));
    ++tried;
  }
  // Through the whole of load(), from the disk.
  ek::test::ByteSource source(3);
  const Bytes before = run.state();
  for (int i = 0; i < 2000; ++i) {
    const Bytes mutation = ek::test::mutate(good, source);
    ek::test::write_plainly(folder / "bad.h5", mutation);
    ++tried;
    try {
      run.checkpoint.load(folder / "bad.h5");
      silent += mutation != good;
    } catch (const ek::FileError&) {
    }
  }
  BOOST_TEST((run.state() == before));
  BOOST_TEST_MESSAGE("damaged checkpoints: " << tried << ", taken for good: " << silent);
  BOOST_TEST(silent == 0u);
}

BOOST_AUTO_TEST_CASE(a_series_keeps_the_last_ones_and_falls_back) {
  const TempFolder folder;
  const CheckpointSeries series(folder / "run", {.keep = 3});
  Run run;
  BOOST_TEST(!series.load_latest(run.checkpoint));
  for (int i = 0; i < 5; ++i) {
    run.train(2);
    series.save(run.checkpoint, run.step);
  }
  const auto file = [&](const std::string& step) { return folder / ("run/step-0000000000" + step + ".h5"); };
  for (const std::string step : {"02", "04"}) BOOST_TEST(!std::filesystem::exists(file(step)));
  for (const std::string step : {"06", "08", "10"}) BOOST_TEST(std::filesystem::exists(file(step)));

  Run other;
  auto loaded = series.load_latest(other.checkpoint);
  BOOST_REQUIRE(loaded);
  BOOST_TEST(loaded->path == file("10"));
  BOOST_TEST(loaded->passed_over.empty());
  BOOST_TEST((other.state() == run.state()));

  Bytes damaged = ek::io::read_file(file("10"));
  damaged.resize(damaged.size() / 2);
  ek::io::write_file_atomically(file("10"), damaged);
  loaded = series.load_latest(other.checkpoint);
  BOOST_REQUIRE(loaded);
  BOOST_TEST(loaded->path == file("08"));
  BOOST_TEST(loaded->passed_over.size() == 1u);
  BOOST_TEST(has(loaded->passed_over.at(0), file("10")));
  BOOST_TEST(other.step == 8);
  other.train(1);
  series.save(other.checkpoint, other.step);  // the damaged one does not push good ones out
  for (const std::string step : {"06", "08", "09"}) BOOST_TEST(std::filesystem::exists(file(step)));

  for (const std::string step : {"06", "08", "09"}) ek::io::write_file_atomically(file(step), {});
  BOOST_CHECK_THROW(series.load_latest(other.checkpoint), ek::FileError);
  BOOST_CHECK_THROW(CheckpointSeries(folder / "run", {.keep = 1}), ek::ConfigError);
  ek::io::write_file_atomically(folder / "file", {});
  BOOST_CHECK_THROW(CheckpointSeries(folder / "file"), ek::FileError);
}

BOOST_AUTO_TEST_CASE(a_failed_save_leaves_the_series_as_it_was_and_training_goes_on) {
  const TempFolder folder;
  const CheckpointSeries series(folder.path().string());
  Run run;
  run.train(1);
  series.save(run.checkpoint, 1);
  int faults = 0;
  std::int64_t last_saved = 1;
  for (const bool persistent : {false, true})
    for (int nth = 1, hits = 1; hits > 0; ++nth) {
      run.train(1);
      const Bytes before = run.state();
      {
        const ek::test::FaultScope scope(nth, ENOSPC, persistent);
        try {
          series.save(run.checkpoint, run.step);
        } catch (const ek::FileError&) {
          ++faults;
        }
        hits = scope.hits();
      }
      BOOST_TEST((run.state() == before));
      Run other;
      BOOST_REQUIRE(series.load_latest(other.checkpoint));
      BOOST_TEST((other.step == run.step || other.step == last_saved));
      last_saved = other.step;
      for (const auto& entry : std::filesystem::directory_iterator(folder.path()))
        BOOST_TEST(entry.path().extension() == ".h5");
    }
  BOOST_TEST(faults >= 12);
}

BOOST_AUTO_TEST_SUITE_END()
