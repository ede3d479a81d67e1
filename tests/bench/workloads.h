// tests/bench/workloads.h -- the fixed workloads on which Weft is compared with its peers.
//
// W1: bidirectional GRU encoder (512 a direction), GRU decoder 512 with additive attention (512),
// step by step, teacher forcing; W2: 2-layer LSTM encoder and decoder, 512, Luong general; W2b: the
// same with input feeding. W3: transformer 256 wide, 4 heads, feed-forward 1024, 3+3 layers,
// pre-norm, tied output, label smoothing 0.1; W3b: 512, 8, 2048, 6+6, 16 x 64 tokens. Else
// embeddings 256, vocabularies 8000, batch 64, lengths 10..25 padded to
// 25, mean cross-entropy of live tokens, Adam, clipping at 1. "demo" is the model of ./demo on
// words of up to 10 letters and 8 phones.
#pragma once
#include "ir/host/named_arrays.h"
#include "models/families/rnn/rnn.h"
#include "models/families/seq2seq.h"
#include "models/families/transformer/transformer.h"

#include <string>
#include <string_view>
#include <vector>

namespace weft::bench {

struct Workload {
  std::string name;
  seq2seq::Settings config;
  int64_t batch = 64, source = 25, target = 25;
};

const std::vector<Workload>& training_workloads();
const Workload& workload(std::string_view name);  // GraphError listing them

// Random tokens. Lengths uniform in [(1-2*padding)*n, n] (at least 1), the first row full: that
// share of all positions is padding, up to a half.
ir::NamedArrays random_batch(const Workload& w, uint64_t seed, double padding = 0.3);

// Of matrix products of a forward pass (2mnk each), padding included; with `lengths`, of real
// tokens only.
double forward_flop(const Workload& w, const ir::NamedArrays* lengths = nullptr);

// The same of decoding w.batch sentences for `steps` steps: the encoder once, the decoder for every
// beam.
double decoding_flop(const Workload& w, int64_t beam, int64_t steps);

}  // namespace weft::bench
