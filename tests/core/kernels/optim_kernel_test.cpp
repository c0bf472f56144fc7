#include "kernel_support.h"

#include <evenkeel/core/kernels/optim.h>

using namespace evenkeel;
using namespace evenkeel::test;

BOOST_AUTO_TEST_SUITE(optim_kernel_test)

BOOST_AUTO_TEST_CASE_TEMPLATE(sgd_follows_the_textbook_in_every_variant, T, FloatTypes) {
  for (const double momentum : {0.0, 0.9})
    for (const bool nesterov : {false, true})
      for (const bool maximize : {false, true}) {
        if (nesterov && momentum == 0) continue;
        kernels::SgdStep s{0.1, momentum, nesterov ? 0.0 : 0.3, 0.01, nesterov, maximize, false};
        const std::int64_t n = 40000;
        auto p = noise<T>(n, 1), buffer = garbage<T>(n);
        std::vector<double> q(p.begin(), p.end()), v(q.size());
        for (int step = 0; step < 3; ++step) {
          const auto g = noise<T>(n, 10 + step);
          s.first = step == 0;
          kernels::sgd_step<T>(s, n, p.data(), g.data(), buffer.data());
          for (std::int64_t i = 0; i < n; ++i) {
            double d = (maximize ? -1 : 1) * double(g[i]) + s.weight_decay * q[i];
            if (momentum != 0) {
              v[i] = step == 0 ? d : momentum * v[i] + (1 - s.dampening) * d;
              d = nesterov ? d + momentum * v[i] : v[i];
            }
            q[i] -= s.lr * d;
          }
        }
        check_close(p, q);
      }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(adam_follows_the_textbook_in_every_variant, T, FloatTypes) {
  for (const bool decoupled : {false, true})
    for (const bool amsgrad : {false, true})
      for (const bool maximize : {false, true}) {
        kernels::AdamStep s{0.05, 0.8, 0.95, 1e-3, 0.1, decoupled, maximize, 0};
        const std::int64_t n = 40000;
        auto p = noise<T>(n, 1);
        std::vector<T> m(n), v(n), top(n);
        std::vector<double> q(p.begin(), p.end()), qm(n), qv(n), qtop(n);
        for (s.step = 1; s.step <= 4; ++s.step) {
          const auto g = noise<T>(n, 10 + std::uint64_t(s.step));
          kernels::adam_step<T>(s, n, p.data(), g.data(), m.data(), v.data(), amsgrad ? top.data() : nullptr);
          for (std::int64_t i = 0; i < n; ++i) {
            double d = (maximize ? -1 : 1) * double(g[i]);
            if (decoupled)
              q[i] -= s.lr * s.weight_decay * q[i];
            else
              d += s.weight_decay * q[i];
            qm[i] = s.beta1 * qm[i] + (1 - s.beta1) * d;
            qv[i] = s.beta2 * qv[i] + (1 - s.beta2) * d * d;
            qtop[i] = std::max(qtop[i], qv[i]);
            const double square = (amsgrad ? qtop[i] : qv[i]) / (1 - std::pow(s.beta2, double(s.step)));
            q[i] -= s.lr * qm[i] / (1 - std::pow(s.beta1, double(s.step))) / (std::sqrt(square) + s.eps);
          }
        }
        check_close(p, q);
      }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(bits_do_not_depend_on_the_thread_count, T, FloatTypes) {
  const std::int64_t n = 300001;
  const auto g = noise<T>(n, 2);
  check_same_bits_at_any_thread_count([&] {
    auto p = noise<T>(n, 1);
    std::vector<T> m(n), v(n), buffer(n);
    kernels::adam_step<T>({}, n, p.data(), g.data(), m.data(), v.data(), nullptr);
    kernels::sgd_step<T>({}, n, p.data(), g.data(), buffer.data());
    return p;
  });
}

BOOST_AUTO_TEST_SUITE_END()
