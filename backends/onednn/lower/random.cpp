// backends/onednn/lower/random.cpp -- counter-based random numbers, one position at a time.
#include "backends/onednn/kernels/random.h"

#include "backends/onednn/lower/entries.h"
#include "backends/onednn/lower/ops.h"
#include "ir/ops/all.h"

#include <cmath>
#include <cstring>

namespace weft::onednn {

void lower_random(Emit& e) {
  const Tensor step = e.in("step"), rows = e.in("rows"), y = e.out();
  if (y.size() == 0) return;
  const std::string& form = e.op.text("form");
  kernels::Random args{.kind = form == "bits"      ? kernels::RandomKind::bits
                               : form == "uniform" ? kernels::RandomKind::uniform
                                                   : kernels::RandomKind::keep,
                       .stream = static_cast<uint64_t>(e.op.integer("stream")),
                       .rows = rows.dim(0)};
  args.elements = 1;
  for (const ir::Dim& d : e.op.shape("inner")) args.elements *= *d.constant();
  const double threshold = std::ceil(e.op.real("keep") * 4294967296.0);
  const bool always = args.kind == kernels::RandomKind::keep && threshold >= 4294967296.0;
  if (always) return emit_fill(e, y, 1);
  if (args.kind == kernels::RandomKind::keep) args.threshold = static_cast<uint32_t>(threshold);
  const bool at_positions = e.has("position");
  const Tensor position = at_positions ? e.in("position") : step;
  const int64_t count = at_positions ? position.size() : 1;
  const int64_t bytes = args.rows * args.elements * y.element_bytes();
  e.kernel("random", 0, [=](const Run& run) {
    kernels::Random random = args;
    random.step = integer_at(run, step);
    random.row_id = run.at<int64_t>(rows.at);
    for (int64_t p = 0; p < count; ++p) {
      random.first_position = at_positions ? integer_at(run, position, p) : 0;
      random.y = run(y.at) + p * bytes;
      kernels::random(random);
    }
  });
}

namespace {

constexpr Lowering kLowerings[] = {
    {.op = &ir::ops::random, .lower = lower_random},
};

}  // namespace

std::span<const Lowering> of_random() { return kLowerings; }

}  // namespace weft::onednn
