#pragma once

namespace evenkeel::test {

enum class Fault { error, short_write };

/// While it lives, system calls of this thread that write files (open to write or of a folder, fchmod, write,
/// fsync, close, rename) are counted, and call number `nth` (from 1) fails with `error_number`; all calls
/// from there on if `persistent`. A short write writes half of the bytes and reports so.
class FaultScope {
 public:
  FaultScope(int nth, int error_number, bool persistent, Fault fault = Fault::error);
  ~FaultScope();
  FaultScope(const FaultScope&) = delete;
  FaultScope& operator=(const FaultScope&) = delete;
  /// How many calls failed.
  int hits() const;
};

}  // namespace evenkeel::test
