#pragma once

#include <evenkeel/core/tensor.h>

#include <functional>
#include <initializer_list>
#include <string>
#include <vector>

namespace evenkeel::test {

/// Checks that `function` gives the same tensors, to the bit, at each thread count (1: a second time) as
/// at 1.
void check_same_at_any_thread_count(const std::string& what,
                                    const std::function<std::vector<Tensor>()>& function,
                                    std::initializer_list<int> thread_counts = {1, 2, 3, 4, 8, 16});

/// Whether shapes, types and all bits are the same.
bool same_bits(const Tensor& a, const Tensor& b);

}  // namespace evenkeel::test
