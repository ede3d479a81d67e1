#!/usr/bin/env python3
"""tests/bench/peers/published.py -- T5, BART and Marian in plain PyTorch, with caches of keys and values.

    published.py decode FOLDER [--sentences N] [--tokens N] [--reps N] [--threads N]
    published.py train  FOLDER [--rows N] [--width N] [--reps N] [--threads N]

The equations that Weft runs for a folder of tests/bench/make_published.py, as somebody who knows PyTorch would write them: attention by
scaled_dot_product_attention, q, k and v of a source's keys and values computed once, caches that are written in place, no
gradients in decoding; Adam, fused. Prints a line of JSON: as published_bench has it, or the milliseconds of a training step.
"""
import argparse
import json
import os
import pathlib
import resource
import time

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("what", choices=["decode", "train"])
parser.add_argument("folder", type=pathlib.Path)
parser.add_argument("--sentences", type=int, default=1)
parser.add_argument("--tokens", type=int, default=64)
parser.add_argument("--rows", type=int, default=16)
parser.add_argument("--width", type=int, default=64)
parser.add_argument("--reps", type=int, default=5)
parser.add_argument("--threads", type=int, default=os.cpu_count())
o = parser.parse_args()
os.environ["OMP_NUM_THREADS"] = str(o.threads)

import torch
import torch.nn as nn
import torch.nn.functional as F

torch.set_num_threads(o.threads)
torch.manual_seed(7)
SOURCE = 64
c = json.loads((o.folder / "config.json").read_text())
T5 = c["model_type"] == "t5"
WIDTH, VOCABULARY = c["d_model"], c["vocab_size"]
HEADS = c["num_heads"] if T5 else c["encoder_attention_heads"]
HEAD = c["d_kv"] if T5 else WIDTH // HEADS
LAYERS = c["num_layers"] if T5 else c["encoder_layers"]
INNER = c["d_ff"] if T5 else c["encoder_ffn_dim"]
DROPOUT = c["dropout_rate"] if T5 else c["dropout"]
WEIGHTS_DROPOUT = DROPOUT if T5 else c.get("attention_dropout", 0)
INNER_DROPOUT = DROPOUT if T5 else c.get("activation_dropout", 0)
BUCKETS = c.get("relative_attention_num_buckets", 0)
ACTIVATION = {"swish": F.silu, "gelu": F.gelu}[c["activation_function"]] if not T5 else F.relu


class RmsNorm(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(WIDTH))

    def forward(self, x):
        return F.rms_norm(x, (WIDTH,), self.weight, 1e-6)


def norm():
    return RmsNorm() if T5 else nn.LayerNorm(WIDTH)


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.q, self.k, self.v = (nn.Linear(WIDTH, HEADS * HEAD, bias=not T5) for _ in range(3))
        self.o = nn.Linear(HEADS * HEAD, WIDTH, bias=not T5)

    @staticmethod
    def heads(x):
        return x.view(x.shape[0], -1, HEADS, HEAD).transpose(1, 2)

    def keys_values(self, x):
        return self.heads(self.k(x)), self.heads(self.v(x))

    def forward(self, x, keys, values, bias=None, causal=False):
        y = F.scaled_dot_product_attention(self.heads(self.q(x)), keys, values, attn_mask=bias, is_causal=causal,
                                           dropout_p=WEIGHTS_DROPOUT if self.training else 0, scale=1.0 if T5 else HEAD ** -0.5)
        return self.o(y.transpose(1, 2).flatten(2))


class Layer(nn.Module):
    """T5's has its norms before the sublayers, the others behind them."""

    def __init__(self, decoder):
        super().__init__()
        self.self_attention, self.self_norm = Attention(), norm()
        if decoder:
            self.cross, self.cross_norm = Attention(), norm()
        self.first, self.second, self.inner_norm = nn.Linear(WIDTH, INNER, bias=not T5), nn.Linear(INNER, WIDTH, bias=not T5), norm()
        self.dropout, self.inner_dropout = nn.Dropout(DROPOUT), nn.Dropout(INNER_DROPOUT)

    def sublayer(self, x, norm, f):
        return x + self.dropout(f(norm(x))) if T5 else norm(x + self.dropout(f(x)))

    def forward(self, x, attend, memory=None):
        x = self.sublayer(x, self.self_norm, attend)
        if memory is not None:
            x = self.sublayer(x, self.cross_norm, lambda h: self.cross(h, *memory))
        return self.sublayer(x, self.inner_norm, lambda h: self.second(self.inner_dropout(ACTIVATION(self.first(h)))))


def buckets(queries, keys, both):
    """T5's distances in buckets (Raffel et al. 2020)."""
    distance, n, at = keys[None, :] - queries[:, None], BUCKETS, 0
    if both:
        n //= 2
        at = (distance > 0).long() * n
        distance = distance.abs()
    else:
        distance = -distance.clamp(max=0)
    exact = n // 2
    far = exact + (torch.log(distance.float().clamp(min=1) / exact) / torch.log(torch.tensor(128 / exact)) * (n - exact)).long()
    return at + torch.where(distance < exact, distance, far.clamp(max=n - 1))


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(VOCABULARY, WIDTH)
        nn.init.normal_(self.embedding.weight, std=0.02)
        self.encoder, self.decoder = (nn.ModuleList(Layer(d) for _ in range(LAYERS)) for d in (False, True))
        if T5:
            self.encoder_bias, self.decoder_bias = nn.Embedding(BUCKETS, HEADS), nn.Embedding(BUCKETS, HEADS)
            self.encoder_norm, self.decoder_norm = norm(), norm()
        else:
            self.register_buffer("output_bias", torch.zeros(VOCABULARY))
        if c["model_type"] == "bart":
            self.encoder_positions, self.decoder_positions = (nn.Embedding(c["max_position_embeddings"] + 2, WIDTH) for _ in range(2))
            self.encoder_norm, self.decoder_norm = norm(), norm()
        if c["model_type"] == "marian":
            rates = 10000.0 ** (-torch.arange(0, WIDTH, 2) / WIDTH)
            angles = torch.arange(c["max_position_embeddings"])[:, None] * rates
            self.register_buffer("sinusoids", torch.cat([angles.sin(), angles.cos()], 1))
        self.dropout = nn.Dropout(DROPOUT)

    def embedded(self, side, ids, start=0):
        x = self.embedding(ids)
        if c["model_type"] == "marian":
            x = x * WIDTH ** 0.5 + self.sinusoids[start:start + ids.shape[1]]
        if c["model_type"] == "bart":
            table, norm = getattr(self, f"{side}_positions"), getattr(self, f"{side}_norm")
            x = norm(x + table.weight[start + 2:start + 2 + ids.shape[1]])
        return self.dropout(x)

    def bias(self, side, queries, keys):
        return getattr(self, f"{side}_bias")(buckets(queries, keys, side == "encoder")).permute(2, 0, 1)[None]

    def encode(self, ids):
        x, at = self.embedded("encoder", ids), torch.arange(ids.shape[1])
        bias = self.bias("encoder", at, at) if T5 else None
        for layer in self.encoder:
            a = layer.self_attention
            x = layer(x, lambda h: a(h, *a.keys_values(h), bias))
        return self.dropout(self.encoder_norm(x)) if T5 else x

    def scores(self, x):
        if T5:
            return F.linear(self.dropout(self.decoder_norm(x)) * WIDTH ** -0.5, self.embedding.weight)
        return F.linear(x, self.embedding.weight, self.output_bias)

    def loss(self, source, target):
        h, x, at = self.encode(source), self.embedded("decoder", target[:, :-1]), torch.arange(target.shape[1] - 1)
        bias = None
        if T5:
            bias = self.bias("decoder", at, at).masked_fill(at[None, :] > at[:, None], float("-inf"))
        for layer in self.decoder:
            a = layer.self_attention
            x = layer(x, lambda h: a(h, *a.keys_values(h), bias, causal=bias is None), layer.cross.keys_values(h))
        return F.cross_entropy(self.scores(x).flatten(0, 1), target[:, 1:].flatten())

    @torch.inference_mode()
    def greedy(self, source, tokens):
        h, rows = self.encode(source), source.shape[0]
        memory = [layer.cross.keys_values(h) for layer in self.decoder]
        caches = [torch.empty(2, rows, HEADS, tokens, HEAD) for _ in self.decoder]
        token, all_keys = torch.full((rows, 1), c["decoder_start_token_id"]), torch.arange(tokens)
        for t in range(tokens):
            x = self.embedded("decoder", token, t)
            bias = self.bias("decoder", all_keys[t:t + 1], all_keys[:t + 1]) if T5 else None
            for layer, cache, (keys, values) in zip(self.decoder, caches, memory):
                a = layer.self_attention

                def attend(x):
                    cache[0, :, :, t:t + 1], cache[1, :, :, t:t + 1] = a.keys_values(x)
                    return a(x, cache[0, :, :, :t + 1], cache[1, :, :, :t + 1], bias)

                x = layer(x, attend, (keys, values))
            token = self.scores(x[:, -1:]).argmax(-1)
        return token


def milliseconds(f):
    start = time.perf_counter()
    f()
    return (time.perf_counter() - start) * 1e3


def middle(list):
    return sorted(list)[len(list) // 2]


model = Model()
line = {}
if o.what == "decode":
    model.eval()
    source = torch.randint(5, VOCABULARY - 5, (o.sentences, SOURCE))
    model.greedy(source, o.tokens)
    first, whole = [], []
    for _ in range(o.reps):
        first.append(milliseconds(lambda: model.greedy(source, 1)))
        whole.append(milliseconds(lambda: model.greedy(source, o.tokens)))
    line = dict(sentences=o.sentences, first_ms=middle(first), token_ms=(middle(whole) - middle(first)) / (o.tokens - 1),
                tokens_per_s=o.sentences * o.tokens / middle(whole) * 1e3)
else:
    optimizer = torch.optim.Adam(model.parameters(), 1e-4, fused=True)
    source, target = torch.randint(5, VOCABULARY - 5, (o.rows, o.width)), torch.randint(5, VOCABULARY - 5, (o.rows, o.width + 1))

    def step():
        optimizer.zero_grad(set_to_none=True)
        model.loss(source, target).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()

    step()
    line = dict(rows=o.rows, step_ms=middle([milliseconds(step) for _ in range(o.reps)]))
line["rss_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
print(json.dumps({k: round(v, 3) for k, v in line.items()}))
