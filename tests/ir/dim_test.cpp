// tests/ir/dim_test.cpp -- symbolic sizes.
#include "ir/dim.h"

#include "ir/error.h"

#include <doctest/doctest.h>

using namespace weft::ir;

namespace {
std::string normal(std::string_view text) { return Dim::parse(text).str(); }
}  // namespace

TEST_CASE("dim: printing is canonical") {
  CHECK(normal("1+T") == "T+1");
  CHECK(normal("B*8-3*B") == "5*B");
  CHECK(normal("8*B") == "8*B");
  CHECK(normal("(T+1)*(T-1)") == "T*T-1");
  CHECK(normal("B-B") == "0");
  CHECK(normal("-B") == "-B");
  CHECK(normal("S*B") == "B*S");
}

TEST_CASE("dim: printed dims parse to themselves") {
  for (const char* text : {"B", "T+1", "8*B", "B*S*T-4*B+2", "floordiv(S+1,2)",
                           "floordiv(floordiv(S,2)+1,2)*B", "-3", "0"})
    CHECK(Dim::parse(Dim::parse(text).str()) == Dim::parse(text));
}

TEST_CASE("dim: whole multiples leave a floordiv") {
  CHECK(normal("floordiv(4*B+2,2)") == "2*B+1");
  CHECK(normal("floordiv(S+3,2)") == "floordiv(S+1,2)+1");
  CHECK(normal("floordiv(-1,2)") == "-1");
}

TEST_CASE("dim: common factors of a floordiv cancel") {
  CHECK(normal("floordiv(2*S+2,4)") == "floordiv(S+1,2)");
  CHECK(normal("floordiv(2*S+3,4)") == "floordiv(S+1,2)");
  CHECK(normal("floordiv(6*B*T+9,12)") == "floordiv(B*T+1,2)");
  CHECK(normal("floordiv(2*S+1,3)") == "floordiv(2*S+1,3)");
  CHECK(normal("floordiv(4*S+2,8)") == "floordiv(S,2)");
}

TEST_CASE("dim: a floordiv of a floordiv is one: two strided layers are as one of both strides") {
  CHECK(normal("floordiv(floordiv(S,2),2)") == "floordiv(S,4)");
  CHECK(normal("floordiv(floordiv(S-1,2)+1-1,2)+1") == normal("floordiv(S-1,4)+1"));
  CHECK(normal("floordiv(floordiv(S+1,2)+B,3)") == "floordiv(2*B+S+1,6)");
  CHECK(normal("floordiv(floordiv(S,2)+floordiv(T,2),3)") ==
        "floordiv(floordiv(S,2)+floordiv(T,2),3)");
}

TEST_CASE("dim: however a floordiv is written, its value is that of the division") {
  const char* const texts[] = {"floordiv(3*S-2*T-7,4)", "floordiv(6*S+4*T-5,8)",
                               "floordiv(floordiv(S-9,2)-T,3)", "floordiv(floordiv(S,2)*2-5,4)",
                               "floordiv(2*floordiv(T-3,3)-3*S+1,2)"};
  const auto over = [](int64_t a, int64_t b) { return a / b - (a % b != 0 && a < 0); };
  for (int64_t s = 0; s < 13; ++s)
    for (int64_t t = 0; t < 13; ++t) {
      const int64_t wanted[] = {over(3 * s - 2 * t - 7, 4), over(6 * s + 4 * t - 5, 8),
                                over(over(s - 9, 2) - t, 3), over(over(s, 2) * 2 - 5, 4),
                                over(2 * over(t - 3, 3) - 3 * s + 1, 2)};
      for (int i = 0; i < 5; ++i) {
        const Dim d = Dim::parse(texts[i]);
        CHECK(d.value({{"S", s}, {"T", t}}) == wanted[i]);
        CHECK(Dim::parse(d.str()) == d);
        CHECK(d.substitute({{"S", s}, {"T", t}}) == Dim(wanted[i]));
      }
    }
}

TEST_CASE("dim: division is exact or refused") {
  CHECK(Dim::parse("B*T*8").divided_by(Dim::parse("B*4"))->str() == "2*T");
  CHECK(Dim::parse("T*T-1").divided_by(Dim::parse("T+1"))->str() == "T-1");
  CHECK_FALSE(Dim::parse("B*T+1").divided_by(Dim::parse("B")).has_value());
  CHECK_FALSE(Dim::parse("7").divided_by(Dim::parse("2")).has_value());
}

TEST_CASE("dim: values, and the symbol that is missing") {
  CHECK(Dim::parse("B*T+floordiv(S+1,2)").value({{"B", 2}, {"T", 3}, {"S", 4}}) == 8);
  CHECK_THROWS_WITH_AS(Dim::parse("B*T").value({{"B", 2}}), "the size of symbol T is not known",
                       GraphError);
}

TEST_CASE("dim: overflow is an error, not a wrong size") {
  CHECK_THROWS_AS(Dim::parse("B*B").value({{"B", int64_t{1} << 40}}), GraphError);
  CHECK_THROWS_AS(Dim::parse("9223372036854775807+1"), GraphError);
}

TEST_CASE("dim: malformed text is refused with its column") {
  for (const char* text :
       {"", "B+", "2B", "B**2", "(B", "floordiv(B,0)", "floordiv(B)", "B]", "99999999999999999999"})
    CHECK_THROWS_AS(Dim::parse(text), GraphError);
  CHECK_THROWS_AS(Dim::parse(std::string(100000, '(')), GraphError);
  CHECK_THROWS_AS(Dim::parse(std::string(100000, '-')), GraphError);
}
