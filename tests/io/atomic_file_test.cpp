#include <evenkeel/core/error.h>
#include <evenkeel/io/atomic_file.h>

#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <boost/test/unit_test.hpp>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fstream>
#include <thread>
#include <vector>

#include "support/faults.h"
#include "support/temp_folder.h"

namespace ek = evenkeel;
using ek::test::Fault;
using ek::test::FaultScope;
using ek::test::TempFolder;

namespace {

std::vector<std::byte> filled(std::size_t size, int value) {
  return std::vector<std::byte>(size, static_cast<std::byte>(value));
}

const std::vector<std::byte> kOld = filled(10000, 1), kNew = filled(20000, 2);

/// Text of the FileError that saving throws; empty if it throws none.
std::string error_of_saving(const std::string& path, const std::vector<std::byte>& bytes) {
  try {
    ek::io::write_file_atomically(path, bytes);
  } catch (const ek::FileError& error) {
    return error.what();
  }
  return {};
}

/// While it lives, root has only the rights of "nobody"; nothing changes for other users.
class CommonUser {
 public:
  CommonUser() { BOOST_REQUIRE(!is_root_ || ::seteuid(65534) == 0); }
  ~CommonUser() {
    if (is_root_) ::seteuid(0);
  }
  CommonUser(const CommonUser&) = delete;
  CommonUser& operator=(const CommonUser&) = delete;

 private:
  bool is_root_ = ::geteuid() == 0;
};

/// While it lives, the system lets no file grow beyond `bytes`.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    ::getrlimit(RLIMIT_FSIZE, &old_);
    const rlimit limit{bytes, old_.rlim_max};
    BOOST_REQUIRE(::setrlimit(RLIMIT_FSIZE, &limit) == 0);
  }
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &old_);
    std::signal(SIGXFSZ, handler_);
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;

 private:
  void (*handler_)(int);
  rlimit old_{};
};

}  // namespace

BOOST_AUTO_TEST_SUITE(atomic_file_test)

BOOST_AUTO_TEST_CASE(what_is_written_is_read_back) {
  const TempFolder folder;
  for (const std::size_t size : {0u, 1u, 4096u, 100000u}) {
    const std::vector<std::byte> bytes = filled(size, 7);
    ek::io::write_file_atomically(folder / "a", bytes);
    BOOST_TEST((ek::io::read_file(folder / "a") == bytes));
  }
  BOOST_TEST(folder.file_count() == 1u);
}

BOOST_AUTO_TEST_CASE(a_failed_call_gives_an_error_and_leaves_a_whole_file) {
  const TempFolder folder;
  const std::string path = folder / "a";
  int faults = 0, closes = 0;
  for (const int error_number : {ENOSPC, EIO, EDQUOT}) {
    for (const bool persistent : {false, true}) {
      for (int nth = 1, hits = 1; hits > 0; ++nth) {
        ek::io::write_file_atomically(path, kOld);
        std::string error;
        {
          const FaultScope scope(nth, error_number, persistent);
          error = error_of_saving(path, kNew);
          hits = scope.hits();
        }
        const std::vector<std::byte> left = ek::io::read_file(path);
        BOOST_TEST(folder.file_count() == 1u);
        if (error.empty()) {
          BOOST_TEST((left == kNew));
          closes += hits > 0;
          continue;
        }
        ++faults;
        BOOST_TEST(error.find(std::strerror(error_number)) != std::string::npos, error);
        const bool only_folder_not_synced = error.find("[sync]") == 0;
        BOOST_TEST((left == (only_folder_not_synced ? kNew : kOld)));
      }
    }
  }
  BOOST_TEST_MESSAGE("failed system calls while saving: " << faults << ", all reported");
  BOOST_TEST(faults == 6 * 8);
  BOOST_TEST(closes == 6);  // closing the folder: all is safe by then
}

BOOST_AUTO_TEST_CASE(interrupted_and_short_writes_are_carried_on) {
  const TempFolder folder;
  const std::string path = folder / "a";
  ek::io::write_file_atomically(path, kOld);
  for (const auto& [fault, persistent] :
       {std::pair{Fault::error, false}, {Fault::short_write, false}, {Fault::short_write, true}}) {
    int hit_calls = 0;
    for (int nth = 1, hits = 1; hits > 0; ++nth) {
      const std::vector<std::byte> bytes = filled(5000, nth);
      {
        const FaultScope scope(nth, EINTR, persistent, fault);
        const std::string error = error_of_saving(path, bytes);
        hits = scope.hits();
        // Neither fchmod nor rename is ever interrupted: there EINTR is an error like others.
        if (!error.empty()) {
          BOOST_TEST(error.find(std::strerror(EINTR)) != std::string::npos);
          continue;
        }
      }
      hit_calls += hits > 0;
      BOOST_TEST((ek::io::read_file(path) == bytes));
    }
    BOOST_TEST(hit_calls >= 4);
  }
}

BOOST_AUTO_TEST_CASE(what_the_system_forbids_is_an_error_with_its_reason) {
  const TempFolder folder;
  BOOST_TEST(error_of_saving(folder / "none/a", kNew).find("No such file") != std::string::npos);
  std::filesystem::create_directory(folder / "sub");
  BOOST_TEST(error_of_saving(folder / "sub", kNew).find("Is a directory") != std::string::npos);
  BOOST_TEST(folder.file_count() == 1u);
  BOOST_CHECK_THROW(ek::io::read_file(folder / "none"), ek::FileError);
  BOOST_CHECK_THROW(ek::io::read_file(folder / "sub"), ek::FileError);
}

BOOST_AUTO_TEST_CASE(a_folder_without_write_permission_is_an_error_and_stays_as_it_is) {
  const TempFolder folder;
  const std::string path = folder / "sub/a";
  std::filesystem::create_directory(folder / "sub");
  ek::io::write_file_atomically(path, kOld);
  ::chmod(folder.path().c_str(), 0755);
  ::chmod((folder / "sub").c_str(), 0555);
  std::string error;
  {
    const CommonUser user;
    error = error_of_saving(path, kNew);
  }
  ::chmod((folder / "sub").c_str(), 0755);
  BOOST_TEST(error.find("Permission denied") != std::string::npos, error);
  BOOST_TEST((ek::io::read_file(path) == kOld));
  BOOST_TEST(std::distance(std::filesystem::directory_iterator(folder / "sub"), {}) == 1);
}

BOOST_AUTO_TEST_CASE(permissions_of_the_old_file_are_kept) {
  const TempFolder folder;
  const std::string path = folder / "a";
  ek::io::write_file_atomically(path, kOld);
  ::chmod(path.c_str(), 0640);
  ek::io::write_file_atomically(path, kNew);
  struct stat status;
  BOOST_REQUIRE(::stat(path.c_str(), &status) == 0);
  BOOST_TEST((status.st_mode & 07777) == 0640u);
}

BOOST_AUTO_TEST_CASE(a_full_file_system_leaves_the_old_file_whole) {
  const TempFolder folder;
  if (::mount("tmpfs", folder.path().c_str(), "tmpfs", 0, "size=64k") != 0) {
    BOOST_TEST_MESSAGE("SKIP: mounting a small tmpfs is not allowed here: " << std::strerror(errno));
    return;
  }
  const std::string path = folder / "a";
  ek::io::write_file_atomically(path, kOld);
  const std::string error = error_of_saving(path, filled(200000, 3));
  const bool old_is_whole = ek::io::read_file(path) == kOld;
  const std::size_t files = folder.file_count();
  ::umount(folder.path().c_str());
  BOOST_TEST(error.find(std::strerror(ENOSPC)) != std::string::npos, error);
  BOOST_TEST(old_is_whole);
  BOOST_TEST(files == 1u);
}

BOOST_AUTO_TEST_CASE(a_disk_that_is_full_half_way_leaves_the_old_file_whole) {
  const TempFolder folder;
  const std::string path = folder / "a";
  ek::io::write_file_atomically(path, kOld);
  std::string error;
  {
    const FileSizeLimit limit(kOld.size() + 1000);  // reached within the only write
    error = error_of_saving(path, kNew);
  }
  BOOST_TEST(error.find(std::strerror(EFBIG)) != std::string::npos, error);
  BOOST_TEST((ek::io::read_file(path) == kOld));
  BOOST_TEST(folder.file_count() == 1u);
}

BOOST_AUTO_TEST_CASE(threads_that_save_to_one_path_leave_one_whole_file) {
  const TempFolder folder;
  const std::string path = folder / "a";
  {
    std::vector<std::jthread> threads;
    for (int thread = 1; thread <= 4; ++thread)
      threads.emplace_back([&path, thread] {
        for (int i = 0; i < 50; ++i)
          ek::io::write_file_atomically(path, filled(static_cast<std::size_t>(1000 * thread), thread));
      });
  }
  const std::vector<std::byte> bytes = ek::io::read_file(path);
  const int value = std::to_integer<int>(bytes.at(0));
  BOOST_TEST((bytes == filled(static_cast<std::size_t>(1000 * value), value)));
  BOOST_TEST(folder.file_count() == 1u);
}

BOOST_AUTO_TEST_SUITE_END()
