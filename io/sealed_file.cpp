#include <evenkeel/core/error.h>
#include <evenkeel/io/sealed_file.h>

#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>

namespace evenkeel::io::detail {

namespace {

constexpr std::array<unsigned char, 8> kMagic = {0x89, 'E', 'V', 'K', '\r', '\n', 0x1a, '\n'};
constexpr std::array<unsigned char, 8> kHdf5Magic = {0x89, 'H', 'D', 'F', '\r', '\n', 0x1a, '\n'};
constexpr std::uint64_t kVersion = 1;
constexpr std::size_t kVersionAt = 8, kLengthAt = 16, kHashAt = 24, kHashBytes = 16;

bool starts_with(std::span<const std::byte> file, const std::array<unsigned char, 8>& magic) {
  return file.size() >= magic.size() && std::memcmp(file.data(), magic.data(), magic.size()) == 0;
}

void store(std::span<std::byte> file, std::size_t at, std::uint64_t value) {
  for (std::size_t i = 0; i < 8; ++i) file[at + i] = static_cast<std::byte>(value >> (8 * i));
}

std::uint64_t load(std::span<const std::byte> file, std::size_t at) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < 8; ++i) value |= std::to_integer<std::uint64_t>(file[at + i]) << (8 * i);
  return value;
}

/// Hash of all bytes but the hash itself.
XXH128_canonical_t hash(std::span<const std::byte> file) {
  const std::unique_ptr<XXH3_state_t, XXH_errorcode (*)(XXH3_state_t*)> state(XXH3_createState(),
                                                                              XXH3_freeState);
  if (state == nullptr) throw std::bad_alloc();
  XXH3_128bits_reset(state.get());
  XXH3_128bits_update(state.get(), file.data(), kHashAt);
  XXH3_128bits_update(state.get(), file.data() + kHashAt + kHashBytes, file.size() - kHashAt - kHashBytes);
  XXH128_canonical_t digest;
  XXH128_canonicalFromHash(&digest, XXH3_128bits_digest(state.get()));
  return digest;
}

}  // namespace

void seal(std::span<std::byte> file) {
  std::fill_n(file.begin(), kSealBytes, std::byte{0});
  std::memcpy(file.data(), kMagic.data(), kMagic.size());
  store(file, kVersionAt, kVersion);
  store(file, kLengthAt, file.size());
  const XXH128_canonical_t digest = hash(file);
  std::memcpy(file.data() + kHashAt, digest.digest, kHashBytes);
}

bool check_seal(std::span<const std::byte> file, const std::string& path) {
  if (starts_with(file, kHdf5Magic)) return false;
  if (!starts_with(file, kMagic))
    throw FileError(fmt::format("[load] expected an Evenkeel or an HDF5 file, got neither: {}", path));
  if (file.size() < kSealBytes)
    throw FileError(fmt::format("[load] expected a whole file, got {} bytes of {}", file.size(), path));
  if (const std::uint64_t length = load(file, kLengthAt); file.size() != length)
    throw FileError(fmt::format("[load] expected {} bytes in {}, got {}", length, path, file.size()));
  const XXH128_canonical_t digest = hash(file);
  if (std::memcmp(file.data() + kHashAt, digest.digest, kHashBytes) != 0)
    throw FileError(
        fmt::format("[load] expected {} to have the hash that it was saved with, got another: "
                    "the file is damaged",
                    path));
  if (const std::uint64_t version = load(file, kVersionAt); version != kVersion)
    throw FileError(fmt::format("[load] expected format version {}, got {}: {} is of a newer Evenkeel",
                                kVersion, version, path));
  return true;
}

}  // namespace evenkeel::io::detail
