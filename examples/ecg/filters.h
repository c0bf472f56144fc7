#pragma once

// The classical competition: zero-phase Butterworth and notch filters, and the Wiener filter.

#include "signal.h"

#include <complex>
#include <optional>

namespace ecg {

/// A second-order section: y[n] = b0 x[n] + b1 x[n-1] + b2 x[n-2] - a1 y[n-1] - a2 y[n-2].
struct Section {
  double b0, b1, b2, a1, a2;
};

/// Butterworth filter of an even order, by the bilinear transform.
inline std::vector<Section> butterworth(int order, double cutoff, bool high_pass) {
  const double k = std::tan(std::numbers::pi * cutoff / kRate);
  std::vector<Section> sections;
  for (int i = 0; i < order / 2; ++i) {
    const double damping = 2 * std::sin(std::numbers::pi * (2 * i + 1) / (2 * order));
    const double norm = 1 / (1 + damping * k + k * k), gain = high_pass ? norm : k * k * norm;
    sections.push_back({gain, high_pass ? -2 * gain : 2 * gain, gain, 2 * (k * k - 1) * norm,
                        (1 - damping * k + k * k) * norm});
  }
  return sections;
}

/// Zero at `frequency`, -3 dB at a width of frequency / quality.
inline Section notch(double frequency, double quality) {
  const double w = 2 * std::numbers::pi * frequency / kRate, gain = 1 / (1 + std::tan(w / (2 * quality)));
  return {gain, -2 * gain * std::cos(w), gain, -2 * gain * std::cos(w), 2 * gain - 1};
}

inline Signal run(const Section& s, const Signal& x) {
  Signal y(x.size());
  double z1 = 0, z2 = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    y[i] = s.b0 * x[i] + z1;
    z1 = s.b1 * x[i] - s.a1 * y[i] + z2;
    z2 = s.b2 * x[i] - s.a2 * y[i];
  }
  return y;
}

/// `count` samples more at both ends, mirrored through the end points.
inline Signal extended(const Signal& x, std::size_t count) {
  Signal out;
  for (std::size_t i = count; i > 0; --i) out.push_back(2 * x.front() - x[i]);
  out.insert(out.end(), x.begin(), x.end());
  for (std::size_t i = 1; i <= count; ++i) out.push_back(2 * x.back() - x[x.size() - 1 - i]);
  return out;
}

/// Forwards and backwards, so that nothing is delayed.
inline Signal zero_phase(const std::vector<Section>& sections, const Signal& x) {
  const std::size_t margin = std::min<std::size_t>(x.size() - 1, static_cast<std::size_t>(10 * kRate));
  Signal y = extended(x, margin);
  for (const Section& section : sections) {
    for (int direction = 0; direction < 2; ++direction) {
      y = run(section, y);
      std::reverse(y.begin(), y.end());
    }
  }
  return Signal(y.begin() + static_cast<std::ptrdiff_t>(margin),
                y.end() - static_cast<std::ptrdiff_t>(margin));
}

struct BandFilter {
  int order;                  ///< of the Butterworth filters, in each direction
  double high_pass, quality;  ///< of the notches
  std::optional<double> low_pass;

  Signal operator()(const Signal& x) const {
    std::vector<Section> sections = butterworth(order, high_pass, true);
    sections.push_back(notch(kMains, quality));
    sections.push_back(notch(3 * kMains, quality));
    if (low_pass)
      for (const Section& section : butterworth(order, *low_pass, false)) sections.push_back(section);
    return zero_phase(sections, x);
  }
};

/// The band filter with the best SNR on the training part, of a grid.
inline BandFilter tuned_band_filter(const Signal& clean, const Signal& noisy) {
  BandFilter best{};
  double best_snr = -1e9;
  for (const int order : {2, 4, 6})
    for (const double high : {0.3, 0.4, 0.5, 0.6, 0.8})
      for (const double quality : {5.0, 10.0, 20.0, 40.0})
        for (const std::optional<double> low :
             {std::optional<double>(), {30.0}, {35.0}, {40.0}, {45.0}, {50.0}, {60.0}}) {
          const BandFilter filter{order, high, quality, low};
          if (const double value = snr(clean, filter(noisy)); value > best_snr) {
            best_snr = value;
            best = filter;
          }
        }
  return best;
}

using Spectrum = std::vector<std::complex<double>>;

/// Fourier transform in place, of a power of two of values (Cooley and Tukey).
inline void fourier(Spectrum& x, bool inverse) {
  const std::size_t n = x.size();
  for (std::size_t i = 1, j = 0; i < n; ++i) {
    std::size_t bit = n >> 1;
    for (; j & bit; bit >>= 1) j ^= bit;
    j ^= bit;
    if (i < j) std::swap(x[i], x[j]);
  }
  for (std::size_t length = 2; length <= n; length *= 2) {
    const double angle = (inverse ? 2 : -2) * std::numbers::pi / static_cast<double>(length);
    for (std::size_t begin = 0; begin < n; begin += length)
      for (std::size_t k = 0; k < length / 2; ++k) {
        const auto turned = x[begin + k + length / 2] * std::polar(1.0, angle * static_cast<double>(k));
        x[begin + k + length / 2] = x[begin + k] - turned;
        x[begin + k] += turned;
      }
  }
  if (inverse)
    for (auto& value : x) value /= static_cast<double>(n);
}

/// Power spectrum of x, averaged over overlapping windows of `size` samples (Welch, 1967).
inline std::vector<double> power_spectrum(const Signal& x, std::size_t size) {
  std::vector<double> power(size / 2 + 1, 0);
  for (std::size_t begin = 0; begin + size <= x.size(); begin += size / 2) {
    Spectrum part(size);
    for (std::size_t i = 0; i < size; ++i)
      part[i] =
          x[begin + i] *
          (0.5 - 0.5 * std::cos(2 * std::numbers::pi * static_cast<double>(i) / static_cast<double>(size)));
    fourier(part, false);
    for (std::size_t k = 0; k <= size / 2; ++k) power[k] += std::norm(part[k]);
  }
  return power;
}

/// The best linear filter for the two spectra, with the future at hand.
struct WienerFilter {
  std::vector<double> gain;  // by frequency, from 0 to half the sampling rate

  WienerFilter(const Signal& clean, const Signal& noise, std::size_t size)
      : gain(power_spectrum(clean, size)) {
    const std::vector<double> disturbance = power_spectrum(noise, size);
    for (std::size_t k = 0; k < gain.size(); ++k) gain[k] /= gain[k] + disturbance[k];
  }

  Signal operator()(const Signal& x) const {
    std::size_t size = 1;
    while (size < x.size() + 2 * kMargin) size *= 2;
    const Signal wide = extended(x, kMargin);
    Spectrum spectrum(wide.begin(), wide.end());
    spectrum.resize(size);
    fourier(spectrum, false);
    const double ratio = static_cast<double>(gain.size() - 1) / static_cast<double>(size / 2);
    for (std::size_t k = 0; k < size; ++k) {
      const double at = static_cast<double>(std::min(k, size - k)) * ratio;
      const auto below = std::min(static_cast<std::size_t>(at), gain.size() - 2);
      const double share = at - static_cast<double>(below);
      spectrum[k] *= (1 - share) * gain[below] + share * gain[below + 1];
    }
    fourier(spectrum, true);
    Signal out;
    for (std::size_t i = 0; i < x.size(); ++i) out.push_back(spectrum[kMargin + i].real());
    return out;
  }

 private:
  static constexpr std::size_t kMargin = 5000;
};

/// The Wiener filter of the training part. The size of its window is the one with the best SNR on the last
/// quarter with spectra of the first three: on its own data the longest window always looks best.
inline WienerFilter tuned_wiener_filter(const Signal& clean, const Signal& noise) {
  const auto quarter = static_cast<std::ptrdiff_t>(clean.size() / 4);
  const Signal known_clean(clean.begin(), clean.end() - quarter),
      known_noise(noise.begin(), noise.end() - quarter), held_out(clean.end() - quarter, clean.end()),
      noisy = sum(held_out, Signal(noise.end() - quarter, noise.end()));
  std::size_t best = 0;
  double best_snr = -1e9;
  for (std::size_t size = 256; size <= 16384; size *= 2)
    if (const double value = snr(held_out, WienerFilter(known_clean, known_noise, size)(noisy));
        value > best_snr) {
      best_snr = value;
      best = size;
    }
  return WienerFilter(clean, noise, best);
}

}  // namespace ecg
