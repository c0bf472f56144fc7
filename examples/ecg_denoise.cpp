// A one-dimensional U-Net cleans a real electrocardiogram: baseline wander, mains hum and white noise are
// added to five minutes of it, the net learns on the first four to remove them, and is judged on the last
// beside classical filters that were tuned on the same four minutes.
#include "ecg/filters.h"
#include "ecg/net.h"
#include "ecg/signal.h"

#include <evenkeel/evenkeel.h>
#include <evenkeel/report/progress.h>
#include <evenkeel/report/svg.h>
#include <evenkeel/report/table.h>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <chrono>
#include <cstdio>
#include <exception>
#include <filesystem>

namespace ek = evenkeel;
using ecg::Signal;

namespace {

struct Settings {
  std::string data = "/usr/lib/python3/dist-packages/scipy/misc/ecg.dat";
  std::string out = "runs/ecg_denoise";
  int steps = 2500;
  int batch_size = 2;
  int window = 8192;
  int width = 12;
  double lr = 4e-3;
  int threads = 0;
  std::uint64_t seed = 1;
};

/// Windows from anywhere in the training part, each with noise of its own.
struct Batches {
  const Signal& clean;
  std::int64_t batch_size, window;
  ek::Rng& rng;

  std::pair<ek::Tensor, ek::Tensor> draw() {
    const ek::Shape shape{batch_size, 1, window};
    ek::Tensor noisy = ek::Tensor::empty(shape), target = ek::Tensor::empty(shape);
    float *in = noisy.mutable_data<float>(), *out = target.mutable_data<float>();
    for (std::int64_t n = 0; n < batch_size; ++n) {
      const auto length = static_cast<std::size_t>(window);
      const auto begin =
          static_cast<std::size_t>(rng.below(static_cast<std::int64_t>(clean.size() - length)));
      const double size = rng.uniform(0.8, 1.25);
      const Signal disturbance = ecg::noise(length, rng);
      for (std::size_t i = 0; i < length; ++i) {
        *out++ = static_cast<float>(size * clean[begin + i]);
        *in++ = static_cast<float>(size * clean[begin + i] + disturbance[i]);
      }
    }
    return {noisy, target};
  }
};

void train(ecg::UNet& net, Batches batches, const Settings& settings) {
  ek::optim::AdamW adam(net.named_parameters(), {.lr = settings.lr});
  ek::optim::LRScheduler schedule(
      adam, ek::optim::one_cycle_lr({.total_steps = settings.steps + 1, .pct_start = 0.1}));
  ek::report::Progress progress({.label = "training", .total = settings.steps});
  double average = 0;
  for (int step = 1; step <= settings.steps; ++step) {
    const auto [noisy, target] = batches.draw();
    const ek::Tensor loss = ek::mse_loss(net(noisy), target);
    loss.backward();
    ek::optim::clip_grad_norm_(net.parameters(), 1.0);
    adam.step();
    schedule.step();
    average += (loss.item() - average) / std::min(step, 50);
    progress.update(step, fmt::format("rms error {:.4f} mV", std::sqrt(average)));
  }
}

/// The whole signal at once, mirrored at its ends up to a length that the net can halve.
Signal denoise(ecg::UNet& net, const Signal& noisy) {
  const ek::NoGradScope no_grad;
  const auto unit = static_cast<std::size_t>(ecg::UNet::kTotalStride);
  const std::size_t margin = 4 * unit, length = noisy.size() + 2 * margin;
  Signal wide = ecg::extended(noisy, margin);
  wide.resize((length + unit - 1) / unit * unit, wide.back());
  const std::vector<float> values(wide.begin(), wide.end());
  const ek::Tensor out = net(ek::Tensor::from(values, {1, 1, static_cast<std::int64_t>(values.size())}));
  const float* first = out.data<float>() + margin;
  return Signal(first, first + noisy.size());
}

void draw(const std::string& path, const std::vector<std::pair<std::string, Signal>>& signals,
          std::size_t begin, std::size_t length) {
  std::vector<ek::report::Panel> panels;
  for (const auto& [name, signal] : signals) {
    ek::report::LineChart chart{.title = name, .x_label = "time (s)", .y_label = "mV"};
    chart.y_min = -2.5;
    chart.y_max = 3.5;
    ek::report::Series line;
    for (std::size_t i = begin; i < begin + length; ++i) {
      line.x.push_back(static_cast<double>(i - begin) / ecg::kRate);
      line.y.push_back(signal[i]);
    }
    chart.series.push_back(std::move(line));
    panels.emplace_back(std::move(chart));
  }
  ek::report::save_svg(path, panels, {.panel_width = 1000, .panel_height = 220, .columns = 1});
}

void run(const Settings& settings) {
  if (settings.threads > 0) ek::set_num_threads(settings.threads);
  const auto start = std::chrono::steady_clock::now();
  ek::Rng rng(settings.seed);

  // Truth is the recording without its own drift below 0.5 Hz, which no one could tell from ours.
  const Signal clean = ecg::zero_phase(ecg::butterworth(2, 0.5, true), ecg::read_recording(settings.data));
  const auto four_minutes = static_cast<std::size_t>(4 * 60 * ecg::kRate);
  if (clean.size() <= four_minutes + ecg::kRate)
    throw ek::FileError("[ecg] expected five minutes of ECG, got less");
  const auto middle = clean.begin() + static_cast<std::ptrdiff_t>(four_minutes);
  const Signal training(clean.begin(), middle), test(middle, clean.end());
  const Signal training_noise = ecg::noise(training.size(), rng),
               noisy = ecg::sum(test, ecg::noise(test.size(), rng));

  const ecg::BandFilter band_filter = ecg::tuned_band_filter(training, ecg::sum(training, training_noise));
  const ecg::WienerFilter wiener_filter = ecg::tuned_wiener_filter(training, training_noise);
  const Signal banded = band_filter(noisy), wiener = wiener_filter(noisy);
  fmt::print(
      "tuned on four minutes: Butterworth of order {} from {} Hz{}, notches of quality {}; Wiener filter "
      "of {} samples\n",
      band_filter.order, band_filter.high_pass,
      band_filter.low_pass ? fmt::format(" to {} Hz", *band_filter.low_pass) : "", band_filter.quality,
      2 * (wiener_filter.gain.size() - 1));

  ecg::UNet net(settings.width, rng);
  fmt::print("U-Net with {} parameters, {} steps of {} windows\n", net.parameter_count(), settings.steps,
             settings.batch_size);
  train(net, {training, settings.batch_size, settings.window, rng}, settings);
  const Signal cleaned = denoise(net, noisy);

  const double before = ecg::snr(test, noisy);
  const double gains[] = {ecg::snr(test, banded) - before, ecg::snr(test, wiener) - before,
                          ecg::snr(test, cleaned) - before};
  const char* names[] = {"Butterworth and notch", "Wiener filter", "U-Net"};
  const int best = gains[0] > gains[1] ? 0 : 1;

  std::filesystem::create_directories(settings.out);
  const auto ten_seconds = static_cast<std::size_t>(10 * ecg::kRate);
  draw(settings.out + "/ecg.svg",
       {{"clean", test},
        {"with noise", noisy},
        {fmt::format("best classical filter ({})", names[best]), best == 0 ? banded : wiener},
        {"denoised by the U-Net", cleaned}},
       test.size() / 3, std::min(ten_seconds, test.size() / 2));

  ek::report::Table table(
      {{"last minute"}, {"SNR (dB)", ek::report::Align::right}, {"gain (dB)", ek::report::Align::right}});
  table.add_row({"noisy", fmt::format("{:.2f}", before), ""});
  for (int i = 0; i < 3; ++i)
    table.add_row({names[i], fmt::format("{:.2f}", before + gains[i]), fmt::format("{:.2f}", gains[i])});
  fmt::print("{}", table.str());
  const double lead = gains[2] - gains[best];
  fmt::print("signals: {}/ecg.svg, time: {:.0f} s\n", settings.out,
             std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  fmt::print("gain: U-Net {:.2f} dB, best filter {:.2f} dB\n", gains[2], gains[best]);
  fmt::print("the net {} the best filter by {:.2f} dB{}\n", lead >= 0 ? "beats" : "loses to", std::abs(lead),
             lead >= 3 ? "" : ", less than the 3 dB it should");
}

}  // namespace

int main(int argc, char** argv) {
  Settings settings;
  CLI::App app("Denoises a real ECG with a 1-D U-Net, beside classical filters.");
  app.add_option("--data", settings.data, "ecg.dat of SciPy (Debian: python3-scipy)")->capture_default_str();
  app.add_option("--out", settings.out, "folder for the picture")->capture_default_str();
  app.add_option("--steps", settings.steps, "training steps")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--batch-size", settings.batch_size)->check(CLI::PositiveNumber)->capture_default_str();
  app.add_option("--width", settings.width, "channels at full rate")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--lr", settings.lr)->check(CLI::PositiveNumber)->capture_default_str();
  app.add_option("--threads", settings.threads, "0: one a core")
      ->check(CLI::Range(0, 256))
      ->capture_default_str();
  app.add_option("--seed", settings.seed)->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  try {
    run(settings);
  } catch (const std::exception& error) {
    fmt::print(stderr, "{}\n", error.what());
    return 1;
  }
  return 0;
}
