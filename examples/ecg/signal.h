#pragma once

// The recording, and the noise that is added to it.

#include <evenkeel/core/error.h>
#include <evenkeel/core/random.h>
#include <evenkeel/io/zip.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numbers>
#include <string>
#include <vector>

namespace ecg {

using Signal = std::vector<double>;

constexpr double kRate = 360;  // samples a second
constexpr double kMains = 50;  // Hz; the recording's own mains hum is at 60 Hz

/// Five minutes of record 208 of the MIT-BIH Arrhythmia Database in mV, from SciPy's ecg.dat: a zip with one
/// NumPy array of unsigned 16-bit numbers, 1024 at 0 mV and 200 a mV.
inline Signal read_recording(const std::string& path) {
  const std::vector<std::byte> bytes = evenkeel::io::read_zip_member(path);
  constexpr std::size_t kPreamble = 10;
  const auto* raw = reinterpret_cast<const unsigned char*>(bytes.data());
  if (bytes.size() < kPreamble || std::memcmp(raw, "\x93NUMPY", 6) != 0)
    throw evenkeel::FileError("[ecg] expected a NumPy array in " + path + ", got something else");
  const std::size_t begin = kPreamble + raw[8] + 256u * raw[9];
  const std::string header(reinterpret_cast<const char*>(raw), std::min(begin, bytes.size()));
  if (begin >= bytes.size() || header.find("'<u2'") == std::string::npos)
    throw evenkeel::FileError("[ecg] expected 16-bit numbers in " + path + ", got another type");
  Signal signal;
  for (std::size_t at = begin; at + 1 < bytes.size(); at += 2)
    signal.push_back((raw[at] + 256.0 * raw[at + 1] - 1024) / 200);
  return signal;
}

/// Numbers of mean square 1 that change slowly: sinusoids of random phase between two frequencies.
inline Signal slow_noise(std::size_t length, double low, double high, evenkeel::Rng& rng) {
  constexpr int kSinusoids = 24;
  Signal out(length, 0);
  for (int k = 0; k < kSinusoids; ++k) {
    const double turn = 2 * std::numbers::pi * rng.uniform(low, high) / kRate;
    const double phase = rng.uniform(0, 2 * std::numbers::pi), size = std::sqrt(2.0 / kSinusoids);
    for (std::size_t i = 0; i < length; ++i) out[i] += size * std::sin(turn * static_cast<double>(i) + phase);
  }
  return out;
}

/// Baseline wander below 0.5 Hz (0.4 mV rms), mains hum with a third harmonic whose size and phase drift
/// (about 0.2 mV rms), and white noise (0.15 mV rms).
inline Signal noise(std::size_t length, evenkeel::Rng& rng) {
  constexpr double kWander = 0.4, kHum = 0.2, kWhite = 0.15;
  const Signal wander = slow_noise(length, 0.03, 0.45, rng), size = slow_noise(length, 0.01, 0.1, rng);
  Signal out(length), steps(length);
  rng.normal(out.data(), static_cast<std::int64_t>(length));
  rng.normal(steps.data(), static_cast<std::int64_t>(length));
  double phase = rng.uniform(0, 2 * std::numbers::pi);
  for (std::size_t i = 0; i < length; ++i) {
    phase += 2 * std::numbers::pi * kMains / kRate + 0.003 * steps[i];
    const double hum =
        std::numbers::sqrt2 * (1 + 0.3 * size[i]) * (std::sin(phase) + 0.2 * std::sin(3 * phase + 1));
    out[i] = kWhite * out[i] + kWander * wander[i] + kHum * hum;
  }
  return out;
}

inline Signal sum(const Signal& a, const Signal& b) {
  Signal out(a);
  for (std::size_t i = 0; i < out.size(); ++i) out[i] += b[i];
  return out;
}

/// Signal to noise ratio of `estimate` in dB.
inline double snr(const Signal& clean, const Signal& estimate) {
  double signal = 0, error = 0;
  for (std::size_t i = 0; i < clean.size(); ++i) {
    signal += clean[i] * clean[i];
    error += (clean[i] - estimate[i]) * (clean[i] - estimate[i]);
  }
  return 10 * std::log10(signal / error);
}

}  // namespace ecg
