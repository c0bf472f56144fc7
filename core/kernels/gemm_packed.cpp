#include <evenkeel/core/kernels/conv_micro.h>
#include <evenkeel/core/kernels/gemm_packed.h>
#include <evenkeel/core/parallel.h>
#include <evenkeel/core/storage.h>

#include <algorithm>
#include <vector>

namespace evenkeel::kernels {

namespace {

constexpr std::int64_t kSumLength = 192;  ///< products added before a block goes back to memory
constexpr std::int64_t kWantedPieces = 16;

template <class T>
class Packed {
 public:
  Packed(bool trans_a, bool trans_b, std::int64_t m, std::int64_t n, std::int64_t k, T alpha, const T* a,
         std::int64_t lda, const T* b, std::int64_t ldb, T beta, T* c, std::int64_t ldc)
      : a_(a),
        b_(b),
        a_row_(trans_a ? 1 : lda),
        a_column_(trans_a ? lda : 1),
        b_row_(trans_b ? 1 : ldb),
        b_column_(trans_b ? ldb : 1),
        n_(n),
        k_(k),
        ldc_(ldc),
        alpha_(alpha),
        beta_(beta),
        c_(c),
        blocks_(m),
        panels_(ceil_div(n, kPanel)) {
    for (std::int64_t i = 0; i < std::min(k, kSumLength); ++i)
      offsets_.push_back(static_cast<std::int32_t>(i * kPanel));
  }

  /// Pieces run along the longer side of c; what they share of the other matrix is packed first.
  void run() {
    const bool tall = blocks_.rows > n_;
    const std::int64_t units = tall ? blocks_.count : panels_;
    const std::int64_t shared = tall ? panels_ : blocks_.count;
    const std::int64_t unit_size = k_ * (tall ? micro::kMaxRows : kPanel);
    const std::int64_t shared_size = k_ * (tall ? kPanel : micro::kMaxRows);
    detail::Workspace<T> common(static_cast<std::size_t>(shared * shared_size));
    detail::parallel_ranges(shared, ceil_div(1 << 15, shared_size),
                            [&](std::int64_t begin, std::int64_t end) {
                              for (std::int64_t i = begin; i < end; ++i)
                                pack(tall, i, common.data() + i * shared_size);
                            });
    detail::parallel_ranges(units, ceil_div(units, kWantedPieces), [&](std::int64_t begin, std::int64_t end) {
      detail::Workspace<T> own(static_cast<std::size_t>((end - begin) * unit_size));
      for (std::int64_t i = begin; i < end; ++i) pack(!tall, i, own.data() + (i - begin) * unit_size);
      if (tall)
        multiply(begin, end, own.data(), 0, panels_, common.data());
      else
        multiply(0, blocks_.count, common.data(), begin, end, own.data());
    });
  }

 private:
  static constexpr int kLanes = Simd<T>::kLanes;
  static constexpr std::int64_t kPanel = 2 * kLanes;

  void pack(bool columns, std::int64_t i, T* to) const { columns ? pack_panel(i, to) : pack_block(i, to); }

  /// Rows of a block as [k][row], times alpha.
  void pack_block(std::int64_t block, T* to) const {
    const std::int64_t row = blocks_.begin(block), height = blocks_.begin(block + 1) - row;
    const T* from = a_ + row * a_row_;
    T turned[kLanes * kLanes];
    for (std::int64_t k = 0; k < k_; k += kLanes) {
      const std::int64_t some = std::min<std::int64_t>(kLanes, k_ - k);
      for (std::int64_t r = 0; r < height; r += kLanes) {
        const std::int64_t rows = std::min<std::int64_t>(kLanes, height - r);
        if (a_column_ == 1)
          micro::transpose_to_lanes(from + r * a_row_ + k, a_row_, some, static_cast<int>(rows), turned,
                                    kLanes);
        for (std::int64_t i = 0; i < some; ++i) {
          const auto value = a_column_ == 1 ? Simd<T>::load(turned + i * kLanes)
                                            : Simd<T>::load_between(from + (k + i) * a_column_, r, 0, height);
          Simd<T>::store_some(to + (k + i) * height + r, alpha_ * value, rows);
        }
      }
    }
  }

  /// Columns of a panel as [k][column].
  void pack_panel(std::int64_t panel, T* to) const {
    for (std::int64_t part = 0; part < kPanel; part += kLanes) {
      const std::int64_t column = panel * kPanel + part;
      const std::int64_t columns = std::clamp<std::int64_t>(n_ - column, 0, kLanes);
      if (b_column_ != 1)
        micro::transpose_to_lanes(b_ + column * b_column_, b_column_, k_, static_cast<int>(columns),
                                  to + part, kPanel);
      else
        for (std::int64_t k = 0; k < k_; ++k)
          Simd<T>::store(to + k * kPanel + part, Simd<T>::load_between(b_ + k * b_row_, column, 0, n_));
    }
  }

  void multiply(std::int64_t first_block, std::int64_t last_block, const T* rows, std::int64_t first_panel,
                std::int64_t last_panel, const T* columns) const {
    for (std::int64_t k = 0; k < k_; k += kSumLength) {
      const std::int64_t some = std::min(kSumLength, k_ - k);
      for (std::int64_t panel = first_panel; panel < last_panel; ++panel) {
        const T* tile = columns + ((panel - first_panel) * k_ + k) * kPanel;
        const std::int64_t wide = std::min(kPanel, n_ - panel * kPanel);
        const micro::Lanes lanes[] = {{0, static_cast<std::int32_t>(std::min<std::int64_t>(wide, kLanes)), 0},
                                      {kLanes, static_cast<std::int32_t>(wide - kLanes), kLanes}};
        for (std::int64_t block = first_block; block < last_block; ++block) {
          const std::int64_t row = blocks_.begin(block), height = blocks_.begin(block + 1) - row;
          micro::output_block<T>(static_cast<int>(height), wide > kLanes ? 2 : 1)(
              some, rows + (block - first_block) * micro::kMaxRows * k_ + k * height, offsets_.data(), tile,
              lanes, c_ + row * ldc_ + panel * kPanel, ldc_, nullptr, k > 0 || beta_ != T(0));
        }
      }
    }
  }

  const T* a_;
  const T* b_;
  std::int64_t a_row_, a_column_, b_row_, b_column_, n_, k_, ldc_;
  T alpha_, beta_;
  T* c_;
  micro::RowBlocks blocks_;
  std::int64_t panels_;
  std::vector<std::int32_t> offsets_;
};

}  // namespace

template <class T>
void gemm_packed(bool trans_a, bool trans_b, std::int64_t m, std::int64_t n, std::int64_t k, T alpha,
                 const T* a, std::int64_t lda, const T* b, std::int64_t ldb, T beta, T* c, std::int64_t ldc) {
  Packed<T>(trans_a, trans_b, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc).run();
}

#define EVENKEEL_INSTANTIATE(T)                                                                              \
  template void gemm_packed(bool, bool, std::int64_t, std::int64_t, std::int64_t, T, const T*, std::int64_t, \
                            const T*, std::int64_t, T, T*, std::int64_t);
EVENKEEL_INSTANTIATE(float)
EVENKEEL_INSTANTIATE(double)
#undef EVENKEEL_INSTANTIATE

}  // namespace evenkeel::kernels
