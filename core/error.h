#pragma once

#include <stdexcept>
#include <string>

namespace evenkeel {

/// Base of all errors that Evenkeel throws. The text reads `[op] expected … got …`; inside a module's
/// call the dotted path of the layer is appended.
class Error : public std::runtime_error {
 public:
  explicit Error(const std::string& message);
};

/// Shapes that do not fit an operation or each other.
class ShapeError : public Error {
 public:
  using Error::Error;
};

/// Options that can not make a valid layer, optimiser or program.
class ConfigError : public Error {
 public:
  using Error::Error;
};

/// A tensor of the wrong element type.
class DTypeError : public Error {
 public:
  using Error::Error;
};

/// Misuse of the graph: freed, changed in place, no gradient, no double backward.
class GradError : public Error {
 public:
  using Error::Error;
};

/// Values outside an operation's domain: labels out of range, a loss that is not finite.
class ValueError : public Error {
 public:
  using Error::Error;
};

/// Files that are missing, damaged, hostile or can not be written.
class FileError : public Error {
 public:
  using Error::Error;
};

/// A request for memory above the limit or beyond what the system gives.
class MemoryError : public Error {
 public:
  using Error::Error;
};

}  // namespace evenkeel
