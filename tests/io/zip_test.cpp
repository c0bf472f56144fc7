#include <evenkeel/core/error.h>
#include <evenkeel/io/atomic_file.h>
#include <evenkeel/io/zip.h>

#include <boost/test/unit_test.hpp>

#include <filesystem>
#include <string>

using namespace evenkeel;

namespace {

/// A zip of one deflated member, "even keel, even keel, even keel".
std::vector<std::byte> some_zip() {
  const std::string hex =
      "504b0304140000000800000021002bf2355d100000001f00000005000000612e7478744b2d4bcd53c84e4dcd"
      "d15148c5c20400504b01021403140000000800000021002bf2355d100000001f000000050000000000000000"
      "000000800100000000612e747874504b0506000000000100010033000000330000000000";
  std::vector<std::byte> bytes;
  for (std::size_t i = 0; i < hex.size(); i += 2)
    bytes.push_back(static_cast<std::byte>(std::stoi(hex.substr(i, 2), nullptr, 16)));
  return bytes;
}

struct ZipFile {
  explicit ZipFile(const std::vector<std::byte>& bytes) { io::write_file_atomically(path, bytes); }
  ~ZipFile() { std::filesystem::remove(path); }
  std::string path = (std::filesystem::temp_directory_path() / "evenkeel_zip_test.zip").string();
};

}  // namespace

BOOST_AUTO_TEST_SUITE(zip_test)

BOOST_AUTO_TEST_CASE(a_deflated_member_is_unpacked) {
  const ZipFile file(some_zip());
  std::string text;
  for (const std::byte byte : io::read_zip_member(file.path)) text.push_back(static_cast<char>(byte));
  BOOST_TEST(text == "even keel, even keel, even keel");
}

BOOST_AUTO_TEST_CASE(a_file_cut_off_anywhere_is_refused) {
  const std::vector<std::byte> whole = some_zip();
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const ZipFile file({whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)});
    BOOST_CHECK_THROW(io::read_zip_member(file.path), FileError);
  }
}

BOOST_AUTO_TEST_CASE(a_changed_byte_never_gives_other_content) {
  const std::vector<std::byte> whole = some_zip();
  const ZipFile right(whole);
  const std::vector<std::byte> expected = io::read_zip_member(right.path);
  for (std::size_t i = 0; i < whole.size(); ++i) {
    std::vector<std::byte> changed = whole;
    changed[i] ^= std::byte{0x11};
    const ZipFile file(changed);
    try {
      BOOST_TEST((io::read_zip_member(file.path) == expected), "byte " << i);
    } catch (const FileError&) {
    }
  }
}

BOOST_AUTO_TEST_CASE(a_missing_file_is_named) {
  BOOST_CHECK_THROW(io::read_zip_member("/nowhere/at/all.zip"), FileError);
}

BOOST_AUTO_TEST_SUITE_END()
