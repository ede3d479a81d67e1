// ir/ops/pack.h -- the rows of sequences that are real, moved together; and back.
//
//   p = pack(x, lengths; places)              x: T[T,B,...], lengths: s32[B]  ->  p: T[T*B,...]
//   y = unpack(p, lengths; places) {steps}    p: T[T*B,...]  ->  y: T[T,B,...], T = steps
//   with by_sequence: x, y: T[B,T,...] and p: T[B*T,...]
//   order, places = length_order(lengths)     s32[B] each
//
// Step t of sequence b is real where t < lengths[b]. `pack` puts the real rows first, in the order
// of t, then b (what loops read), or by sequence, of b, then t (what attention reads), and zeros
// behind them; `unpack` puts them back, zeros elsewhere, and reads no others. Each is the other's
// adjoint. Where x and y hold the sequences in another order than `lengths` does, sequence b is at
// place places[b] of their axis of sequences; an entry outside [0, B) is an error at run time.
// The count of real rows is known at run time only: sizes stay those of T*B rows, and a backend may
// leave out the rows behind (docs/decisions/0003-packed-rows-keep-their-size.md).
//
// `length_order` puts sequences in the order of their lengths, the longest first, equal ones as
// they were: order[i] is the i-th of them, and places its inverse.
#pragma once
#include "ir/op_def.h"

namespace weft::ir::ops {

Types infer_pack(const OpView& op);
Types infer_unpack(const OpView& op);
Types infer_length_order(const OpView& op);

inline constexpr OpDef pack{
    .name = "pack",
    .operands = {"x", "lengths", {"places", Arity::optional}},
    .attrs = {{"by_sequence", false}},
    .infer = infer_pack,
    .doc = "The rows (t,b) of x with t < lengths[b], one after the other, zeros behind."};

inline constexpr OpDef unpack{
    .name = "unpack",
    .operands = {"p", "lengths", {"places", Arity::optional}},
    .attrs = {{"steps", AttrKind::dim}, {"by_sequence", false}},
    .infer = infer_unpack,
    .doc = "Packed rows back in their places, zeros where t >= lengths[b]."};

inline constexpr OpDef length_order{
    .name = "length_order",
    .operands = {"lengths"},
    .infer = infer_length_order,
    .doc = "The longest sequence first: which is at each place, and the place of each."};

inline constexpr const OpDef* kPackOps[] = {&pack, &unpack, &length_order};

}  // namespace weft::ir::ops
