// frontend/nn/attention.h -- attention written as the papers print it; passes make one op of it.
//
// Masks say what may be looked at: pred[B,S], or pred of the scores' shape. A query that may look
// at nothing gets zeros. All functions take one query, s: T[B,H], or many, s: T[B,T,H]. `keys` is
// where the projected h is there already (decoding step by step); otherwise it is computed
// here, and where that happens in a loop the compiler moves it out.
//
// Throws GraphError, at the line of the call, where shapes or settings do not go together.
#pragma once
#include "frontend/nn/linear.h"

namespace weft {

struct Attended {
  Tensor context;  // T[B,E] or T[B,T,E]
  Tensor weights;  // T[B,S] or T[B,T,S]
};

// a = softmax(e) where mask, c = sum_j a_j h_j
// scores: T[B,S] or T[B,T,S], h: T[B,S,E], mask: pred[B,S] or of the scores' shape
Attended attend(const Tensor& scores, const Tensor& h, const Tensor& mask,
                SourceLoc loc = SourceLoc::here());

// Attention to what is near a place of its own for each query: local-p (Luong et al. 2015, section
// 3.2). Of the keys j with |j - place| <= half, weights are softmax(e)_j exp(-(j - place)^2 / (2
// sigma^2)) with sigma = half / 2 (eq. 10; they do not add up to 1).
struct Near {
  Tensor place;  // T[B] or T[B,T], in keys, from 0
  int64_t half = 0;

  bool on() const { return place.valid(); }
};
// place_t = S sigmoid(v . tanh(W s_t)), S being a row's true keys   (eq. 9)
// s: T[B,H] or T[B,T,H], mask: pred[B,S]; parameters W [H,H], v [H]
Near near_predicted_place(const Scope& p, const Tensor& s, const Tensor& mask, int64_t half,
                          SourceLoc loc = SourceLoc::here());
// The same as `attend`, near a place.
Attended attend(const Tensor& scores, const Tensor& h, const Tensor& mask, const Near& near,
                SourceLoc loc = SourceLoc::here());

// v . tanh(q_t + k_j)      q: T[B,A] or T[B,T,A], k: T[B,S,A], v: T[A] -> T[B,S] or T[B,T,S]
Tensor additive_scores(const Tensor& q, const Tensor& k, const Tensor& v,
                       SourceLoc loc = SourceLoc::here());

// e_tj = v . tanh(W s_t + U h_j)      (Bahdanau et al. 2015, appendix A.1.2)
// s: T[B,H] or T[B,T,H], h: T[B,S,E]; parameters W [H,A], U [E,A], v [A]; keys = h U: T[B,S,A]
Attended additive_attention(const Scope& p, const Tensor& s, const Tensor& h, const Tensor& mask,
                            const Dim& a, const Tensor& keys = {}, const Near& near = {},
                            SourceLoc loc = SourceLoc::here());
Tensor additive_keys(const Scope& p, const Tensor& h, const Dim& a,
                     SourceLoc loc = SourceLoc::here());

// e_tj = s_t . h_j                    (Luong et al. 2015, eq. 8, dot)
// s: T[B,E] or T[B,T,E], h: T[B,S,E]
Attended dot_attention(const Tensor& s, const Tensor& h, const Tensor& mask, const Near& near = {},
                       SourceLoc loc = SourceLoc::here());

// e_tj = s_t . W h_j                  (Luong et al. 2015, eq. 8, general)
// s: T[B,H] or T[B,T,H], h: T[B,S,E]; parameter W [E,H]; keys = h W: T[B,S,H]
Attended general_attention(const Scope& p, const Tensor& s, const Tensor& h, const Tensor& mask,
                           const Tensor& keys = {}, const Near& near = {},
                           SourceLoc loc = SourceLoc::here());
Tensor general_keys(const Scope& p, const Tensor& h, const Dim& width,
                    SourceLoc loc = SourceLoc::here());

// e_tj = v . tanh(W [s_t; h_j])       (Luong et al. 2015, eq. 8, concat)
// Written W s_t + U h_j with the two halves of the paper's matrix: the same mathematics without the
// concatenation, which makes it the additive score, with its parameters.
Attended concat_attention(const Scope& p, const Tensor& s, const Tensor& h, const Tensor& mask,
                          const Dim& a, const Tensor& keys = {}, const Near& near = {},
                          SourceLoc loc = SourceLoc::here());

}  // namespace weft
