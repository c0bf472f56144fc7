#include "support/faults.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdarg>

// The program's own definitions of these functions come before the C library's.

namespace {

struct Plan {
  bool armed = false, persistent = false;
  evenkeel::test::Fault fault = evenkeel::test::Fault::error;
  int nth = 0, error_number = 0, calls = 0, hits = 0;
};
thread_local Plan plan;

bool is_hit() {
  if (!plan.armed) return false;
  ++plan.calls;
  const bool hit = plan.calls == plan.nth || (plan.persistent && plan.calls > plan.nth);
  plan.hits += hit;
  return hit;
}

template <class Function, class... Arguments>
auto next(const char* name, Function, Arguments... arguments) {
  return reinterpret_cast<Function>(::dlsym(RTLD_NEXT, name))(arguments...);
}

template <class Function, class... Arguments>
int fail_or_call(const char* name, Function function, Arguments... arguments) {
  if (!is_hit() || plan.fault != evenkeel::test::Fault::error) return next(name, function, arguments...);
  errno = plan.error_number;
  return -1;
}

}  // namespace

namespace evenkeel::test {

FaultScope::FaultScope(int nth, int error_number, bool persistent, Fault fault) {
  plan = {true, persistent, fault, nth, error_number, 0, 0};
}
FaultScope::~FaultScope() { plan.armed = false; }
int FaultScope::hits() const { return plan.hits; }

}  // namespace evenkeel::test

extern "C" {

int open(const char* path, int flags, ...) {
  mode_t mode = 0;
  if ((flags & O_CREAT) != 0) {
    va_list arguments;
    va_start(arguments, flags);
    mode = va_arg(arguments, mode_t);
    va_end(arguments);
  }
  const bool counts = (flags & (O_CREAT | O_DIRECTORY)) != 0;
  if (counts && is_hit() && plan.fault == evenkeel::test::Fault::error) {
    errno = plan.error_number;
    return -1;
  }
  return next("open", static_cast<int (*)(const char*, int, ...)>(&::open), path, flags, mode);
}

ssize_t write(int fd, const void* bytes, size_t count) {
  if (is_hit()) {
    if (plan.fault == evenkeel::test::Fault::error) {
      errno = plan.error_number;
      return -1;
    }
    count = (count + 1) / 2;
  }
  return next("write", &::write, fd, bytes, count);
}

int fsync(int fd) { return fail_or_call("fsync", &::fsync, fd); }
int fchmod(int fd, mode_t mode) noexcept { return fail_or_call("fchmod", &::fchmod, fd, mode); }
int rename(const char* from, const char* to) noexcept { return fail_or_call("rename", &::rename, from, to); }
int close(int fd) {
  if (!is_hit() || plan.fault != evenkeel::test::Fault::error) return next("close", &::close, fd);
  next("close", &::close, fd);  // Linux closes the file even when it reports an error
  errno = plan.error_number;
  return -1;
}

}  // extern "C"
