// ir/passes/fuse/attention/attention_dropout.h -- dropout between the weights of an attention and their sum.
//
//   d = select(random(...) {form="keep", keep=p}, a / p, 0)     in any order of the three
//
// `random`'s result may have been reshaped and transposed to the shape of the weights.
#pragma once
#include "ir/ops/attention_parts.h"
#include "ir/rewrite/pattern.h"

namespace weft::ir {

class AttentionDropout {
 public:
  // Looks behind the weights a; `single`: of one query, [...,S].
  AttentionDropout(const GraphUses& readers, Value weights, bool single);

  bool found() const { return random_ != nullptr; }
  const std::string& reason() const { return reason_; }  // why dropout that is there cannot be used
  Value result() const { return result_; }
  const std::vector<int>& nodes() const { return nodes_; }  // from the weights to the result
  Values inputs() const { return found() ? random_->operands : Values{}; }

  // The attributes and operands of the attention. `one`: its only query has no axis any more.
  void put(Rewriter& rw, bool one, ops::AttentionParts& attention) const;

 private:
  bool scaled(Value from, double factor, Value& to, double& by);
  bool selected(Value from, Value& to, Value& keep);
  void axes_of(Value keep, bool single);
  int index_of(const Node& node) const { return r_->graph->info(node.results[0]).node; }

  const GraphUses* r_;
  const Node* random_ = nullptr;
  Value result_;
  std::vector<int> nodes_;
  Integers inner_axes_;
  std::string reason_;
};

}  // namespace weft::ir
