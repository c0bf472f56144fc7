#pragma once

#include <evenkeel/nn/unet.h>

#include <utility>

// The published networks of mdnc as options: UNet2d net(presets::conv::unet16({.in_planes = 3}), rng). The
// number is the count of convolutions along the longest path. A preset sets channel (64), layers and family.

namespace evenkeel::nn::presets {

namespace detail {
template <class Options>
Options preset(Options options, NetFamily family, const std::vector<std::int64_t>& layers) {
  options.channel = 64;
  options.layers = layers;
  options.family = family;
  return options;
}
}  // namespace detail

/// mdnc.modules.conv
namespace conv {

inline UNetOptions unet12(UNetOptions options = {}) {
  return detail::preset(std::move(options), NetFamily::conv, {2, 2, 2});
}
inline UNetOptions unet16(UNetOptions options = {}) {
  return detail::preset(std::move(options), NetFamily::conv, {2, 2, 2, 2});
}
inline UNetOptions unet17(UNetOptions options = {}) {
  return detail::preset(std::move(options), NetFamily::conv, {3, 3, 3});
}
inline UNetOptions unet23(UNetOptions options = {}) {
  return detail::preset(std::move(options), NetFamily::conv, {3, 3, 3, 3});
}
inline UNetOptions unet29(UNetOptions options = {}) {
  return detail::preset(std::move(options), NetFamily::conv, {3, 3, 3, 3, 3});
}
inline AEOptions ae12(AEOptions options = {}) {
  return detail::preset(std::move(options), NetFamily::conv, {2, 2, 2});
}
inline AEOptions ae16(AEOptions options = {}) {
  return detail::preset(std::move(options), NetFamily::conv, {2, 2, 2, 2});
}
inline AEOptions ae17(AEOptions options = {}) {
  return detail::preset(std::move(options), NetFamily::conv, {3, 3, 3});
}
inline AEOptions ae23(AEOptions options = {}) {
  return detail::preset(std::move(options), NetFamily::conv, {3, 3, 3, 3});
}
inline AEOptions ae29(AEOptions options = {}) {
  return detail::preset(std::move(options), NetFamily::conv, {3, 3, 3, 3, 3});
}
inline EncoderNetOptions encnet12(EncoderNetOptions options = {}) {
  return detail::preset(std::move(options), NetFamily::conv, {2, 2, 2, 2, 2});
}
inline EncoderNetOptions encnet15(EncoderNetOptions options = {}) {
  return detail::preset(std::move(options), NetFamily::conv, {2, 2, 3, 3, 3});
}
inline EncoderNetOptions encnet17(EncoderNetOptions options = {}) {
  return detail::preset(std::move(options), NetFamily::conv, {3, 3, 3, 3, 3});
}
inline EncoderNetOptions encnet22(EncoderNetOptions options = {}) {
  return detail::preset(std::move(options), NetFamily::conv, {4, 4, 4, 4, 4});
}
inline DecoderNetOptions decnet13(DecoderNetOptions options) {
  return detail::preset(std::move(options), NetFamily::conv, {2, 2, 2, 2, 2});
}
inline DecoderNetOptions decnet16(DecoderNetOptions options) {
  return detail::preset(std::move(options), NetFamily::conv, {3, 3, 2, 2, 2});
}
inline DecoderNetOptions decnet18(DecoderNetOptions options) {
  return detail::preset(std::move(options), NetFamily::conv, {3, 3, 3, 3, 3});
}
inline DecoderNetOptions decnet23(DecoderNetOptions options) {
  return detail::preset(std::move(options), NetFamily::conv, {4, 4, 4, 4, 4});
}

}  // namespace conv

/// mdnc.modules.resnet
namespace resnet {

inline UNetOptions unet16(UNetOptions options = {}) {
  return detail::preset(std::move(options), NetFamily::plain, {2, 1, 1});
}
inline UNetOptions unet32(UNetOptions options = {}) {
  return detail::preset(std::move(options), NetFamily::bottleneck, {2, 2, 2});
}
inline UNetOptions unet44(UNetOptions options = {}) {
  return detail::preset(std::move(options), NetFamily::bottleneck, {2, 2, 2, 2});
}
inline UNetOptions unet65(UNetOptions options = {}) {
  return detail::preset(std::move(options), NetFamily::bottleneck, {3, 3, 3, 3});
}
inline UNetOptions unet83(UNetOptions options = {}) {
  return detail::preset(std::move(options), NetFamily::bottleneck, {3, 3, 3, 3, 3});
}
inline AEOptions ae16(AEOptions options = {}) {
  return detail::preset(std::move(options), NetFamily::plain, {2, 1, 1});
}
inline AEOptions ae32(AEOptions options = {}) {
  return detail::preset(std::move(options), NetFamily::bottleneck, {2, 2, 2});
}
inline AEOptions ae44(AEOptions options = {}) {
  return detail::preset(std::move(options), NetFamily::bottleneck, {2, 2, 2, 2});
}
inline AEOptions ae65(AEOptions options = {}) {
  return detail::preset(std::move(options), NetFamily::bottleneck, {3, 3, 3, 3});
}
inline AEOptions ae83(AEOptions options = {}) {
  return detail::preset(std::move(options), NetFamily::bottleneck, {3, 3, 3, 3, 3});
}
inline EncoderNetOptions encnet12(EncoderNetOptions options = {}) {
  return detail::preset(std::move(options), NetFamily::plain, {1, 1, 1, 1, 1});
}
inline EncoderNetOptions encnet32(EncoderNetOptions options = {}) {
  return detail::preset(std::move(options), NetFamily::bottleneck, {2, 2, 2, 2, 2});
}
inline EncoderNetOptions encnet47(EncoderNetOptions options = {}) {
  return detail::preset(std::move(options), NetFamily::bottleneck, {3, 3, 3, 3, 3});
}
inline EncoderNetOptions encnet62(EncoderNetOptions options = {}) {
  return detail::preset(std::move(options), NetFamily::bottleneck, {4, 4, 4, 4, 4});
}
inline DecoderNetOptions decnet13(DecoderNetOptions options) {
  return detail::preset(std::move(options), NetFamily::plain, {1, 1, 1, 1, 1});
}
inline DecoderNetOptions decnet33(DecoderNetOptions options) {
  return detail::preset(std::move(options), NetFamily::bottleneck, {2, 2, 2, 2, 2});
}
inline DecoderNetOptions decnet48(DecoderNetOptions options) {
  return detail::preset(std::move(options), NetFamily::bottleneck, {3, 3, 3, 3, 3});
}
inline DecoderNetOptions decnet63(DecoderNetOptions options) {
  return detail::preset(std::move(options), NetFamily::bottleneck, {4, 4, 4, 4, 4});
}

}  // namespace resnet

}  // namespace evenkeel::nn::presets
