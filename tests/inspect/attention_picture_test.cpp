// tests/inspect/attention_picture_test.cpp -- attention over pictures and spectrograms, as text.
#include "frontend/inspect/attention_picture.h"

#include "ir/error.h"

#include <doctest/doctest.h>

using namespace weft;
using ir::Array;

namespace {

int count(const std::string& text, const std::string& part) {
  int n = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++n;
  return n;
}

}  // namespace

TEST_CASE("attention over a picture: it stands there once, and for each token a look at it") {
  const std::string drawn = inspect::svg(inspect::PictureAttention{
      .title = "a & b",
      .png = "Ma",
      .height = 4,
      .width = 6,
      .rows = 1,
      .columns = 3,
      .tokens = {"coat", "</s>"},
      .weights = Array::of(ir::DType::f32, {2, 3}, std::vector<float>{0.5, 0.25, 0.25, 0, 0, 1})});
  CHECK(count(drawn, "data:image/png;base64,TWE=\"") == 1);
  CHECK(count(drawn, "<use href=\"#picture\"") == 2);
  CHECK(count(drawn, "fill-opacity=") == 6);
  CHECK(drawn.find("a &amp; b") != std::string::npos);
  CHECK(drawn.find("fill-opacity=\"0\"><title>coat looks at row 1, column 1: 50 %") !=
        std::string::npos);
  CHECK(drawn.find("fill-opacity=\"0.4\"><title>coat looks at row 1, column 2: 25 %") !=
        std::string::npos);
  CHECK(drawn.find("&lt;/s&gt; looks at row 1, column 3: 100 %") != std::string::npos);
}

TEST_CASE("attention over a spectrogram: a line for each token below it") {
  inspect::SoundAttention sound{
      .title = "x.wav",
      .png = "Man",
      .tokens = {"two"},
      .weights = Array::of(ir::DType::f32, {1, 4}, std::vector<float>{0, 0.75, 0.25, 0})};
  const std::string drawn = inspect::svg(sound);
  CHECK(count(drawn, "base64,TWFu\"") == 1);
  CHECK(count(drawn, "two looks at position") == 2);  // what was not looked at is left white
  sound.tokens.emplace_back("three");
  CHECK_THROWS_WITH_AS(inspect::svg(sound),
                       "a drawing of 2 tokens and 4 positions needs weights of [2,4], found [1,4]",
                       ir::GraphError);
}
