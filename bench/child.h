#pragma once

#include <nlohmann/json.hpp>

#include <cstdio>
#include <string>
#include <vector>

#include <sys/types.h>

namespace evenkeel::bench {

/// A program that answers lines of JSON with lines of JSON, until its input ends.
class Child {
 public:
  explicit Child(std::vector<std::string> command);
  ~Child();
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  /// Error if the program gives no answer.
  nlohmann::json ask(const nlohmann::json& request);

 private:
  pid_t process_ = 0;
  std::FILE* to_ = nullptr;
  std::FILE* from_ = nullptr;
};

}  // namespace evenkeel::bench
