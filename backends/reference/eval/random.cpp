// backends/reference/eval/random.cpp -- what random computes (ir/ops/random.h has the counter).
#include "ir/ops/random.h"

#include "backends/reference/eval/table.h"

#include <Random123/philox.h>

namespace weft::backends::reference::eval {
namespace {

uint32_t word(int64_t stream, int64_t step, int64_t row, int64_t position, int64_t element) {
  const auto low = [](int64_t x) { return static_cast<uint32_t>(x); };
  const r123::Philox4x32::key_type key{{low(stream), low(stream >> 32)}};
  const r123::Philox4x32::ctr_type counter{
      {low(element / 4), low(position), low(row), (low(step) & 0xffffffu) | low(row >> 32) << 24}};
  return r123::Philox4x32()(counter, key)[static_cast<size_t>(element % 4)];
}

}  // namespace

const Evaluation random{&ir::ops::random, [](const Call& call) -> Tensor {
                          const Ints& rows = call.in[1].ints();
                          const Ints positions =
                              call.op.has("position") ? call.in[2].ints() : Ints(0);
                          const int64_t batch = static_cast<int64_t>(rows.size());
                          int64_t inner = 1;
                          for (const int64_t d : ir::values(call.op.shape("inner"), call.bindings))
                            inner *= d;
                          Ints words = filled<int64_t>(call.dims(), 0);
                          for (int64_t i = 0; i < static_cast<int64_t>(words.size()); ++i)
                            words.data()[i] = word(call.op.integer("stream"), call.in[0].scalar(),
                                                   rows.data()[i / inner % batch],
                                                   positions.data()[i / inner / batch], i % inner);
                          if (call.op.text("form") == "bits") return words;
                          if (call.op.text("form") == "keep") {
                            const double limit = call.op.real("keep") * 0x1p32;
                            for (int64_t& w : words) w = static_cast<double>(w) < limit;
                            return words;
                          }
                          Floats uniform = filled<double>(call.dims(), 0);
                          for (size_t i = 0; i < words.size(); ++i)
                            uniform.data()[i] = static_cast<double>(words.data()[i] >> 8) * 0x1p-24;
                          return uniform;
                        }};

std::span<const Evaluation* const> of_random() {
  static const Evaluation* const kEvaluations[] = {&random};
  return kEvaluations;
}

}  // namespace weft::backends::reference::eval
