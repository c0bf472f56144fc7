#include <evenkeel/core/error.h>
#include <evenkeel/core/ops.h>
#include <evenkeel/nn/dropout.h>
#include <evenkeel/nn/embedding.h>

#include <boost/test/unit_test.hpp>

using namespace evenkeel;
using namespace evenkeel::nn;

namespace {

const Tensor kOnes = Tensor::ones({64});

}  // namespace

BOOST_AUTO_TEST_SUITE(dropout_layer_test)

BOOST_AUTO_TEST_CASE(dropout_drops_in_training_only) {
  Rng rng(1);
  Dropout layer({.p = 0.5}, rng);
  BOOST_TEST((layer(kOnes).to_vector<float>() != kOnes.to_vector<float>()));
  layer.eval();
  BOOST_TEST((layer(kOnes).to_vector<float>() == kOnes.to_vector<float>()));
}

BOOST_AUTO_TEST_CASE(every_call_and_every_layer_drops_others) {
  Rng rng(1);
  Dropout first({}, rng), second({}, rng);
  const std::vector<float> once = first(kOnes).to_vector<float>();
  BOOST_TEST((once != first(kOnes).to_vector<float>()));
  BOOST_TEST((once != second(kOnes).to_vector<float>()));
}

BOOST_AUTO_TEST_CASE(the_stream_goes_on_from_the_saved_buffer) {
  Rng rng(1);
  Dropout layer({}, rng), other({}, rng);
  layer(kOnes);
  const NamedBuffer state = layer.named_buffers().front();
  BOOST_TEST(state.name == "rng_state");
  BOOST_TEST((state.kind == BufferKind::random_state));
  Tensor(other.named_buffers().front().tensor).copy_(state.tensor);
  BOOST_TEST((layer(kOnes).to_vector<float>() == other(kOnes).to_vector<float>()));
  BOOST_TEST((layer(kOnes).to_vector<float>() == other(kOnes).to_vector<float>()));
}

BOOST_AUTO_TEST_CASE(a_probability_outside_zero_and_one_is_refused) {
  Rng rng(1);
  BOOST_CHECK_THROW(Dropout({.p = 1.5}, rng), ConfigError);
  BOOST_TEST(Dropout({.p = 0.2}, rng).str() == "Dropout(p=0.2)");
}

BOOST_AUTO_TEST_CASE(an_embedding_looks_its_rows_up) {
  Rng rng(1);
  Embedding layer({.num_embeddings = 5, .embedding_dim = 3}, rng);
  const Tensor y = layer(Tensor::from<std::int64_t>({4, 0}, {2}));
  BOOST_TEST(y.shape().str() == "[2, 3]");
  BOOST_TEST(y.data<float>()[0] == layer.weight().tensor().data<float>()[12]);
  BOOST_TEST(layer.str() == "Embedding(5, 3)");
  BOOST_CHECK_THROW(Embedding({.num_embeddings = 0, .embedding_dim = 3}, rng), ConfigError);
}

BOOST_AUTO_TEST_SUITE_END()
