#include <evenkeel/core/error.h>
#include <evenkeel/io/atomic_file.h>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

namespace evenkeel::io {

namespace {

[[noreturn]] void fail(const char* op, const std::string& path, int error) {
  throw FileError(fmt::format("[{}] expected to {} {}, got: {}", op, op, path, std::strerror(error)));
}

/// An open file; closed at the end of the scope.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }
  /// Closes now; 0 or the error that the system reports only here.
  int close() {
    const int status = ::close(std::exchange(fd_, -1));
    return status == 0 || errno == EINTR ? 0 : errno;  // Linux has closed it when a signal comes
  }

 private:
  int fd_;
};

/// 0, or the error number.
int sync(int fd) {
  while (::fsync(fd) != 0)
    if (errno != EINTR) return errno;
  return 0;
}

int write_and_sync(Descriptor& file, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(file.get(), bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return errno;
    if (written == 0) return EIO;
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
  const int error = sync(file.get());
  return error != 0 ? error : file.close();
}

int sync_folder(const std::string& path) {
  const std::filesystem::path parent = std::filesystem::path(path).parent_path();
  Descriptor folder(::open(parent.empty() ? "." : parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (folder.get() < 0) return errno;
  const int error = sync(folder.get());
  return error == EINVAL ? 0 : error;  // a file system that does not sync folders
}

/// Creates a file beside `path` that no one else has, with the permissions that a new file gets; sets
/// `temporary` to its name.
int create_beside(const std::string& path, std::string& temporary) {
  static std::atomic<unsigned> count = 0;
  while (true) {
    temporary = fmt::format("{}.{}-{}.tmp", path, ::getpid(), count++);
    const int fd = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd >= 0 || (errno != EEXIST && errno != EINTR)) return fd;
  }
}

}  // namespace

void write_file_atomically(const std::string& path, std::span<const std::byte> bytes) {
  std::string temporary;
  Descriptor file(create_beside(path, temporary));
  if (file.get() < 0) fail("save", path, errno);
  int error = 0;
  struct stat old;
  if (::stat(path.c_str(), &old) == 0 && ::fchmod(file.get(), old.st_mode & 07777) != 0) error = errno;
  if (error == 0) error = write_and_sync(file, bytes);
  if (error == 0 && ::rename(temporary.c_str(), path.c_str()) != 0) error = errno;
  if (error != 0) {
    ::unlink(temporary.c_str());
    fail("save", path, error);
  }
  if (const int folder_error = sync_folder(path); folder_error != 0) fail("sync", path, folder_error);
}

std::vector<std::byte> read_file(const std::string& path) {
  Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat status;
  if (file.get() < 0 || ::fstat(file.get(), &status) != 0) fail("read", path, errno);
  if (!S_ISREG(status.st_mode)) fail("read", path, EISDIR);
  std::vector<std::byte> bytes(static_cast<std::size_t>(status.st_size));
  std::size_t at = 0;
  while (at < bytes.size()) {
    const ssize_t got = ::read(file.get(), bytes.data() + at, bytes.size() - at);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail("read", path, errno);
    if (got == 0)
      throw FileError(fmt::format("[read] expected {} bytes in {}, got {}", bytes.size(), path, at));
    at += static_cast<std::size_t>(got);
  }
  return bytes;
}

}  // namespace evenkeel::io
