#include <evenkeel/core/kernels/conv_tile.h>

#include <boost/test/unit_test.hpp>

#include <set>
#include <utility>

using namespace evenkeel;
using kernels::CutQueue;

BOOST_AUTO_TEST_SUITE(conv_tile_kernel_test)

BOOST_AUTO_TEST_CASE(a_taker_stays_with_its_piece_then_begins_another_then_helps) {
  CutQueue queue(2, 4);
  std::int64_t first = -1, second = -1;
  BOOST_TEST(queue.take(0, first) == 0);
  BOOST_TEST(first == 0);
  BOOST_TEST(queue.take(1, second) == 0);
  BOOST_TEST(second == 1);
  for (std::int64_t cut = 1; cut < 4; ++cut) {
    BOOST_TEST(queue.take(0, first) == cut);
    BOOST_TEST(first == 0);
  }
  BOOST_TEST(queue.take(0, first) == 1);
  BOOST_TEST(first == second);
  BOOST_TEST(queue.take(1, second) == 2);
  BOOST_TEST(queue.take(0, first) == 3);
  BOOST_TEST(queue.take(0, first) == -1);
  BOOST_TEST(queue.take(1, second) == -1);
}

BOOST_AUTO_TEST_CASE(threads_get_every_cut_once) {
  const int before = num_threads();
  set_num_threads(4);
  constexpr std::int64_t kPieces = 5, kCuts = 7, kTakers = 4;
  CutQueue queue(kPieces, kCuts);
  std::vector<std::pair<std::int64_t, std::int64_t>> taken[kTakers];
  detail::parallel_for(kTakers, [&](std::int64_t taker) {
    std::int64_t piece = -1;
    for (std::int64_t cut = queue.take(taker, piece); cut >= 0; cut = queue.take(taker, piece))
      taken[taker].emplace_back(piece, cut);
  });
  set_num_threads(before);
  std::set<std::pair<std::int64_t, std::int64_t>> all;
  std::size_t count = 0;
  for (const auto& some : taken) {
    all.insert(some.begin(), some.end());
    count += some.size();
  }
  BOOST_TEST(count == kPieces * kCuts);
  BOOST_TEST(all.size() == kPieces * kCuts);
  BOOST_TEST((all.rbegin()->first == kPieces - 1 && all.rbegin()->second == kCuts - 1));
}

BOOST_AUTO_TEST_CASE(held_cells_change_with_the_tile_the_group_and_the_channel) {
  kernels::HeldCells held;
  BOOST_TEST(held.change(0, 0, 0));
  BOOST_TEST(!held.change(0, 0, 0));
  BOOST_TEST(held.change(1, 0, 0));
  BOOST_TEST(held.change(1, 1, 0));
  BOOST_TEST(held.change(1, 1, 8));
  BOOST_TEST(!held.change(1, 1, 8));
}

BOOST_AUTO_TEST_SUITE_END()
