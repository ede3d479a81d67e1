// tests/data/features_test.cpp -- frames and images, read, checked and put into batches.
#include "models/data/features/features.h"

#include "frontend/formats/npz.h"
#include "ir/error.h"
#include "models/data/batching.h"
#include "tests/formats/temporary_folder.h"

#include <doctest/doctest.h>

#include <cmath>

namespace weft::data {
namespace {

using ir::Array;
using ir::DType;
using tests::message_of;
using tests::TemporaryFolder;

Array counting(ir::Dims dims) {
  Array x(DType::f32, std::move(dims));
  for (int64_t i = 0; i < x.size(); ++i) x.set(i, static_cast<double>(i + 1));
  return x;
}

std::vector<float> floats(const Array& x) {
  const auto values = x.values<float>();
  return {values.begin(), values.end()};
}

TEST_CASE("features: a place is a file of one array, or an array in a file") {
  const TemporaryFolder folder;
  formats::write_npz(folder / "one.npz", {{"x", counting({3, 2})}});
  formats::write_npz(folder / "two.npz", {{"a", counting({1, 2})}, {"b/c", counting({2, 2})}});
  formats::write_npy(folder / "z.npy", counting({4, 2}));
  FeatureReader reader(SourceKind::frames);
  CHECK(reader.read(folder / "one.npz").dims() == ir::Dims{3, 2});
  CHECK(reader.read(folder / "two.npz:b/c").dims() == ir::Dims{2, 2});
  CHECK(reader.read(folder / "z.npy").dims() == ir::Dims{4, 2});
  CHECK(message_of<ir::GraphError>([&] {
          reader.read(folder / "two.npz");
        }).find("holds 2 arrays") != std::string::npos);
  CHECK(message_of<ir::GraphError>([&] { reader.read(folder / "two.npz:d"); }).find("has no 'd'") !=
        std::string::npos);
  CHECK_THROWS(reader.read(folder / "none.npz"));
}

TEST_CASE("features: what is no frame, or not finite, is refused") {
  const TemporaryFolder folder;
  Array bad = counting({2, 2});
  bad.set(3, NAN);
  formats::write_npz(
      folder / "x.npz",
      {{"image", counting({2, 2, 2})}, {"nan", bad}, {"none", Array(DType::f32, {0, 2})}});
  FeatureReader reader(SourceKind::frames);
  const auto refusal = [&](const std::string& name) {
    return message_of<ir::GraphError>([&] { reader.read(folder / "x.npz:" + name); });
  };
  CHECK(refusal("image").ends_with("'image': is [2,2,2], frames are [n,F]"));
  CHECK(refusal("nan").ends_with("'nan': element 3 is not finite"));
  CHECK(refusal("none").ends_with("'none': is [0,2], frames are [n,F]"));
}

TEST_CASE("features: frames are stacked, zeros behind the last") {
  const Source source = source_of(SourceKind::frames, counting({3, 2}), 2, 0);
  CHECK(source.features == 4);
  const EncodedExample e = with_features({}, counting({3, 2}), source);
  CHECK(e.source_length() == 2);
  CHECK(floats(e.features) == std::vector<float>{1, 2, 3, 4, 5, 6, 0, 0});
  CHECK(message_of<ir::GraphError>([&] {
          with_features({}, counting({3, 3}), source);
        }) == "frames have 3 features, needed are 2");
}

TEST_CASE("features: batches of frames are padded with zeros, of images not at all") {
  const Source frames = source_of(SourceKind::frames, counting({1, 2}), 1, 0);
  const std::vector<EncodedExample> examples{
      with_features({.source = {}, .target = {5}, .id = 1}, counting({3, 2}), frames),
      with_features({.source = {}, .target = {6, 7}, .id = 2}, counting({1, 2}), frames)};
  const BatchOptions options{.round_source = 4, .round_target = 1};
  const Plan plan = plan_in_order(examples, options);
  REQUIRE(plan.size() == 1);
  CHECK(plan[0] == std::vector<int64_t>{1, 0});  // the longer target first
  const Batch b = make_batch(examples, plan[0], options);
  CHECK(b.source.dims() == ir::Dims{2, 4, 2});
  CHECK(b.source_width() == 4);
  CHECK(floats(b.source) == std::vector<float>{1, 2, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 0, 0});
  CHECK(b.source_lengths.integer_at(0) == 1);
  CHECK(b.source_lengths.integer_at(1) == 3);

  const Source image = source_of(SourceKind::image, counting({4, 6, 1}), 1, 2);
  const std::vector<EncodedExample> pictures{
      with_features({.source = {}, .target = {5}, .id = 1}, counting({4, 6, 1}), image)};
  const Batch p = make_batch(pictures, std::vector<int64_t>{0}, options);
  CHECK(p.source.dims() == ir::Dims{1, 4, 6, 1});
  CHECK(p.source_width() == 6);
  CHECK(p.source_lengths.integer_at(0) == 6);
  CHECK(message_of<ir::GraphError>([&] {
          with_features({}, counting({4, 4, 1}), image);
        }) == "an image is [4,4,1], needed is [4,6,1]");
}

}  // namespace
}  // namespace weft::data
