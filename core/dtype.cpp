#include <evenkeel/core/dtype.h>
#include <evenkeel/core/error.h>

namespace evenkeel {

std::size_t size_of(DType dtype) { return dtype == DType::f32 ? 4 : 8; }

const char* name(DType dtype) {
  switch (dtype) {
    case DType::f32:
      return "f32";
    case DType::f64:
      return "f64";
    case DType::i64:
      return "i64";
  }
  return "unknown";
}

void detail::throw_not_floating(const char* op, DType got) {
  throw DTypeError(std::string("[") + op + "] expected f32 or f64, got " + name(got));
}

}  // namespace evenkeel
