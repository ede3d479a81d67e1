// models/families/training_loss.cpp -- sums over what is not padding.
#include "models/families/training_loss.h"

#include "models/data/batch_names.h"

namespace weft::seq2seq {
namespace {

// f32[]: summed over what is aligned; an attention weight of zero counts as the least there is.
Tensor alignment_loss(Model& m, const Guided& guided, bool time_major) {
  Tensor wanted = m.input(data::kAlignment, f32, {dim("B"), dim("T"), dim("S")});
  if (time_major) wanted = swap_axes(wanted, 0, 1);
  const Tensor sums = sum(where(wanted > 0, -log(maximum(guided.weights, 1e-20)) * wanted, 0));
  if (guided.by.decay == 1) return sums * guided.by.weight;
  return sums * (pow(guided.by.decay, cast(guided.step, f32)) * guided.by.weight);
}

}  // namespace

void fields(GuidedAlignment& g, settings::Fields& f) {
  f.real(
      "guided_alignment", g.weight, settings::up_to(1000),
      "weight of a loss that pulls attention towards data.alignments (Chen et al. 2016); 0: none");
  f.real("guided_alignment_decay", g.decay, {.least = 0, .most = 1, .open_below = true},
         "the weight is multiplied by it with each update");
}

void set_training_loss(Model& m, const TokenLosses& of, bool weighted, const Guided& guided,
                       SourceLoc loc) {
  const CalledFrom from(loc);
  const Tensor tokens = cast(sum(of.target_lengths), f32);
  Tensor counted = where(of.live, of.losses, 0);
  if (of.shown) m.output("token_losses", of.time_major ? swap_axes(counted, 0, 1) : counted);
  if (weighted) {
    const Tensor weights = m.input(data::kRowWeights, f32, {dim("B")});
    counted = counted * (of.time_major ? weights : expand(weights, -1));
  }
  Tensor total = sum(counted);
  if (guided.by.on()) total = total + alignment_loss(m, guided, of.time_major);
  m.output("loss", total / tokens);
  m.output("tokens", tokens);
}

}  // namespace weft::seq2seq
