// ir/ops/packed_attention.cpp -- inference of attention between packed sequences, and what it
// means.
#include "ir/ops/packed_attention.h"

#include "ir/ops/attention_parts.h"
#include "ir/rewrite/builder.h"

#include <algorithm>

namespace weft::ir::ops {
namespace {

bool is_grad(const OpView& op) { return &op.def() == &packed_attention_grad; }

bool is_one_of(std::string_view name, std::initializer_list<std::string_view> names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

class Unpacked {
 public:
  explicit Unpacked(const OpView& op) : op_(op), e_(op), b_(e_.builder) {}

  Graph run() {
    const OpDef& plain = is_grad(op_) ? attention_grad : attention;
    AttentionParts parts(op_, e_.arguments());
    for (const std::string_view name : {"q", "k", "v", "o", "do", "lse"})
      if (parts.has(name)) parts[name] = unpacked(name);
    parts["mask"] = mask();
    const Values made = parts.emit(b_, plain);
    Values results;
    for (size_t i = 0; i < made.size(); ++i) results.push_back(packed(made[i], result_name(i)));
    return e_.finish(results);
  }

 private:
  // [B*T,H,...] -> [B,H,T,...]
  Value unpacked(std::string_view name) {
    const bool keys = is_one_of(name, {"k", "v"});
    const Value x = b_.emit(unpack, {{e_[name]}, {e_[keys ? "k_lengths" : "q_lengths"]}},
                            {{"steps", op_.dim(keys ? "keys" : "queries")}, {"by_sequence", true}});
    return b_.transpose(x, b_.type(x).rank() == 4 ? Integers{0, 2, 1, 3} : Integers{0, 2, 1});
  }
  Value packed(Value x, std::string_view name) {
    if (name == "bias") return x;
    x = b_.transpose(x, b_.type(x).rank() == 4 ? Integers{0, 2, 1, 3} : Integers{0, 2, 1});
    return b_.emit(pack, {{x}, {e_[is_one_of(name, {"k", "v"}) ? "k_lengths" : "q_lengths"]}},
                   {{"by_sequence", true}});
  }

  // The real keys that the mask shows.
  Value mask() {
    const Value real =
        b_.reshape(b_.emit(length_mask, {{e_["k_lengths"]}}, {{"size", op_.dim("keys")}}),
                   {op_.operand("k_lengths").dim(0), Dim(1), Dim(1), op_.dim("keys")});
    return op_.has("mask") ? b_.emit(logical_and, {{e_["mask"]}, {real}}) : real;
  }

  // Of an operand whose rows a result has.
  std::string_view result_name(size_t i) const {
    return is_grad(op_) ? std::string_view(op_.texts("wanted")[i]) : "q";
  }

  const OpView& op_;
  Expansion e_;
  Builder& b_;
};

}  // namespace

Graph expand_packed_attention(const OpView& op) { return Unpacked(op).run(); }

Types infer_packed_attention(const OpView& op) {
  const std::string label(op.def().name);
  const TensorType& lengths = op.operand("q_lengths");
  if (lengths.dtype != DType::s32 || lengths.rank() != 1 || op.operand("k_lengths") != lengths)
    op.fail(label + ".1", "needs lengths s32[B] of queries and keys, found ", lengths, " and ",
            op.operand("k_lengths"));
  for (const std::string_view name : {"q", "o", "do", "k", "v"}) {
    if (op.def().operand_index(name) < 0) continue;
    const Dim rows = lengths.dim(0) * op.dim(is_one_of(name, {"k", "v"}) ? "keys" : "queries");
    const TensorType& x = op.operand(name);
    if (x.rank() != 3 || x.dim(0) != rows)
      op.fail(label + ".2", "needs ", name, " of [", rows, ",heads,width], found ", x);
  }
  if (is_grad(op) && op.operand("lse").rank() != 2)
    op.fail(label + ".3", "needs lse of [B*queries,heads], found ", op.operand("lse"));
  if (op.has("mask") && op.operand("mask").rank() > 4)
    op.fail(label + ".4", "cannot broadcast its mask ", op.operand("mask"), " to the scores");
  // The rest is as it is unpacked.
  const Graph meaning = expand_packed_attention(op);
  Types types;
  for (const Output& o : meaning.outputs()) types.push_back(meaning.type(o.value));
  return types;
}

}  // namespace weft::ir::ops
