#!/usr/bin/env python3
"""tests/bench/peers/multi30k.py -- the two recipes of Multi30k in PyTorch, from raw text to raw text.

    multi30k.py epoch     --model rnn|transformer --data DIR --out MODEL.pt [--threads N]
    multi30k.py translate --model rnn|transformer --from MODEL.pt --input FILE --output FILE [--beam 4] [--threads N]

What `weft train` and `weft translate` do with models/cli/recipes/multi30k-*.toml, as somebody who knows PyTorch
would write it: a joint BPE model of SentencePiece, batches of sentences of similar length, Adam with clipping,
a validation at the end; beams batched over sentences, the longest sources first, finished ones leaving the
batch, caches that are written in place. Prints a line of JSON: seconds from behind the imports to the end, and
how many target tokens they were.
"""
import argparse
import io
import json
import math
import os
import random
import sys
import time

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("what", choices=["epoch", "translate"])
parser.add_argument("--model", choices=["rnn", "transformer"], required=True)
parser.add_argument("--data", help="a folder with train.tsv and valid.tsv")
parser.add_argument("--out")
parser.add_argument("--from", dest="start")
parser.add_argument("--input")
parser.add_argument("--output")
parser.add_argument("--beam", type=int, default=4)
parser.add_argument("--threads", type=int, default=os.cpu_count())
options = parser.parse_args()
os.environ["OMP_NUM_THREADS"] = str(options.threads)

import sentencepiece
import torch
import torch.nn as nn
import torch.nn.functional as F

torch.set_num_threads(options.threads)
PAD, BEGIN, END, UNKNOWN = 0, 1, 2, 3
SETTINGS = {
    "rnn": dict(vocabulary=6000, rows=64, tokens=0, rate=1e-3, warmup=400, smoothing=0.1, betas=(0.9, 0.999)),
    "transformer": dict(vocabulary=8000, rows=256, tokens=4096, rate=4e-3, warmup=1000, smoothing=0.1, betas=(0.9, 0.98)),
}[options.model]
VOCABULARY, DROPOUT = SETTINGS["vocabulary"], 0.3


class Rnn(nn.Module):
    """Bahdanau et al. 2015: bidirectional GRU, GRU decoder, additive attention, maxout readout; 256 everywhere."""

    def __init__(self, width=256):
        super().__init__()
        w = width
        self.source, self.target = nn.Embedding(VOCABULARY, w, PAD), nn.Embedding(VOCABULARY, w, PAD)
        self.encoder = nn.GRU(w, w, batch_first=True, bidirectional=True)
        self.start = nn.Linear(w, w)
        self.key, self.query, self.v = nn.Linear(2 * w, w), nn.Linear(w, w, bias=False), nn.Linear(w, 1, bias=False)
        self.cell = nn.GRUCell(3 * w, w)
        self.readout = nn.Linear(4 * w, 2 * w)
        self.out = nn.Linear(w, VOCABULARY)
        self.drop = nn.Dropout(DROPOUT)

    def encode(self, source, lengths):
        packed = nn.utils.rnn.pack_padded_sequence(self.drop(self.source(source)), lengths, batch_first=True,
                                                   enforce_sorted=False)
        h, last = self.encoder(packed)
        h, _ = nn.utils.rnn.pad_packed_sequence(h, batch_first=True, total_length=source.size(1))
        bias = torch.zeros(source.shape).masked_fill(source == PAD, -1e9)
        return {"h": h, "keys": self.key(h), "bias": bias, "state": torch.tanh(self.start(last[1]))}

    def advance(self, e, s, m):
        score = torch.tanh(self.query(s)[:, None] + m["keys"]) @ self.v.weight.view(-1) + m["bias"]
        c = torch.bmm(torch.softmax(score, -1)[:, None], m["h"]).squeeze(1)
        return self.cell(torch.cat([e, c], 1), s), c

    def read(self, s, c, e):
        r = self.readout(torch.cat([s, c, e], -1))
        return self.out(self.drop(r.view(*r.shape[:-1], -1, 2).amax(-1)))

    def forward(self, source, lengths, target):
        m = self.encode(source, lengths)
        e, s = self.drop(self.target(target)), m["state"]
        states, contexts = [], []
        for t in range(e.size(1)):
            s, c = self.advance(e[:, t], s, m)
            states.append(s), contexts.append(c)
        return self.read(torch.stack(states, 1), torch.stack(contexts, 1), e)

    def begin(self, m, steps):
        return {}

    def step(self, token, t, m, cache):
        e = self.target(token)
        m["state"], c = self.advance(e, m["state"], m)
        return self.read(m["state"], c, e)


class Attention(nn.Module):
    def __init__(self, width, heads, cross):
        super().__init__()
        self.heads, self.cross = heads, cross
        self.q, self.kv = (nn.Linear(width, width), nn.Linear(width, 2 * width)) if cross else (
            nn.Linear(width, 3 * width), None)
        self.o = nn.Linear(width, width)

    def split(self, x, parts):
        return x.view(x.size(0), x.size(1), parts, self.heads, -1).permute(2, 0, 3, 1, 4).unbind(0)

    def merge(self, y):
        return self.o(y.transpose(1, 2).flatten(2))

    def forward(self, x, memory=None, mask=None, causal=False):
        if self.cross:
            (q,), (k, v) = self.split(self.q(x), 1), self.split(self.kv(memory), 2)
        else:
            q, k, v = self.split(self.q(x), 3)
        return self.merge(F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=causal))


class Layer(nn.Module):
    def __init__(self, width, heads, inner, decoder):
        super().__init__()
        self.n1, self.own = nn.LayerNorm(width), Attention(width, heads, False)
        self.n2, self.cross = (nn.LayerNorm(width), Attention(width, heads, True)) if decoder else (None, None)
        self.n3, self.up, self.down = nn.LayerNorm(width), nn.Linear(width, inner), nn.Linear(inner, width)
        self.drop = nn.Dropout(DROPOUT)

    def feed(self, x):
        return x + self.drop(self.down(self.drop(F.relu(self.up(self.n3(x))))))

    def forward(self, x, memory=None, mask=None):
        x = x + self.drop(self.own(self.n1(x), mask=None if self.cross else mask, causal=self.cross is not None))
        if self.cross:
            x = x + self.drop(self.cross(self.n2(x), memory, mask))
        return self.feed(x)


class Transformer(nn.Module):
    """Vaswani et al. 2017, pre-norm: 128 wide, 4 heads, 256 inside, 4 + 4 layers, one embedding for all three."""

    def __init__(self, width=128, heads=4, inner=256, layers=4):
        super().__init__()
        self.width, self.heads = width, heads
        self.embedding = nn.Embedding(VOCABULARY, width)
        nn.init.normal_(self.embedding.weight, std=width ** -0.5)
        self.encoder = nn.ModuleList([Layer(width, heads, inner, False) for _ in range(layers)])
        self.decoder = nn.ModuleList([Layer(width, heads, inner, True) for _ in range(layers)])
        self.encoded, self.decoded = nn.LayerNorm(width), nn.LayerNorm(width)
        self.bias, self.drop = nn.Parameter(torch.zeros(VOCABULARY)), nn.Dropout(DROPOUT)
        at = torch.arange(1024.0)[:, None] / 10000 ** (torch.arange(0, width, 2.0)[None] / width)
        self.register_buffer("positions", torch.stack([at.sin(), at.cos()], -1).view(1024, width), persistent=False)

    def embed(self, tokens, first=0):
        x = self.embedding(tokens) * math.sqrt(self.width)
        return self.drop(x + self.positions[first:first + tokens.size(1)])

    def encode(self, source, lengths):
        mask = (source != PAD)[:, None, None]
        x = self.embed(source)
        for layer in self.encoder:
            x = layer(x, mask=mask)
        return {"memory": self.encoded(x), "mask": mask}

    def logits(self, x):
        return F.linear(self.decoded(x), self.embedding.weight, self.bias)

    def forward(self, source, lengths, target):
        m = self.encode(source, lengths)
        x = self.embed(target)
        for layer in self.decoder:
            x = layer(x, m["memory"], m["mask"])
        return self.logits(x)

    def begin(self, m, steps):
        """Keys and values: of the source once, of what is produced as it comes."""
        rows, per = m["memory"].size(0), self.width // self.heads
        for i, layer in enumerate(self.decoder):
            m[f"k{i}"], m[f"v{i}"] = (x.contiguous() for x in layer.cross.split(layer.cross.kv(m["memory"]), 2))
        return {f"{kind}{i}": torch.zeros(rows, self.heads, steps, per) for i in range(len(self.decoder)) for kind in "kv"}

    def step(self, token, t, m, cache):
        x = self.embed(token[:, None], t)
        for i, layer in enumerate(self.decoder):
            q, k, v = layer.own.split(layer.own.q(layer.n1(x)), 3)
            cache[f"k{i}"][:, :, t:t + 1], cache[f"v{i}"][:, :, t:t + 1] = k, v
            x = x + layer.own.merge(F.scaled_dot_product_attention(q, cache[f"k{i}"][:, :, :t + 1], cache[f"v{i}"][:, :, :t + 1]))
            (q,) = layer.cross.split(layer.cross.q(layer.n2(x)), 1)
            x = x + layer.cross.merge(F.scaled_dot_product_attention(q, m[f"k{i}"], m[f"v{i}"], attn_mask=m["mask"]))
            x = layer.feed(x)
        return self.logits(x[:, 0])


def padded(rows):
    width = max(map(len, rows))
    return torch.tensor([row + [PAD] * (width - len(row)) for row in rows])


def batches(pairs, shuffled):
    """Pools of 64 batches' worth of sentences, sorted by length and cut; batches in a random order."""
    pairs = list(pairs)
    if shuffled:
        random.shuffle(pairs)
    cut, pool = [], 64 * SETTINGS["rows"] if shuffled else len(pairs)
    for first in range(0, len(pairs), pool):
        rows, widest = [], 0
        for pair in sorted(pairs[first:first + pool], key=lambda p: (len(p[0]), len(p[1]))):
            wide = max(widest, len(pair[0]), len(pair[1]) + 1)
            full = len(rows) == SETTINGS["rows"] or (SETTINGS["tokens"] and wide * (len(rows) + 1) > SETTINGS["tokens"])
            if rows and full:
                cut.append(rows)
                rows, wide = [], max(len(pair[0]), len(pair[1]) + 1)
            rows.append(pair)
            widest = wide
        cut.append(rows)
    if shuffled:
        random.shuffle(cut)
    return cut


def loss_of(model, rows, smoothing):
    source, target_in = padded([r[0] for r in rows]), padded([[BEGIN] + r[1] for r in rows])
    target_out = padded([r[1] + [END] for r in rows])
    logits = model(source, torch.tensor([len(r[0]) for r in rows]), target_in)
    return F.cross_entropy(logits.flatten(0, 1), target_out.flatten(), ignore_index=PAD, label_smoothing=smoothing)


def epoch():
    read = lambda name: [line.rstrip("\n").split("\t") for line in open(os.path.join(options.data, name), encoding="utf-8")]
    train, valid = read("train.tsv"), read("valid.tsv")
    pieces = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=(text for pair in train for text in pair), model_writer=pieces, vocab_size=VOCABULARY,
        model_type="bpe", byte_fallback=True, character_coverage=1.0, pad_id=PAD, bos_id=BEGIN, eos_id=END,
        unk_id=UNKNOWN, minloglevel=2)
    cutter = sentencepiece.SentencePieceProcessor(model_proto=pieces.getvalue())
    train, valid = ([tuple(map(cutter.encode, pair)) for pair in part] for part in (train, valid))
    model = {"rnn": Rnn, "transformer": Transformer}[options.model]()
    adam = torch.optim.Adam(model.parameters(), lr=SETTINGS["rate"], betas=SETTINGS["betas"], fused=True)
    todo, tokens = batches(train, True), 0
    for i, rows in enumerate(todo):
        warm = (i + 1) / SETTINGS["warmup"]
        for group in adam.param_groups:
            group["lr"] = SETTINGS["rate"] * (warm if warm < 1 else (len(todo) - i) / max(1, len(todo) - SETTINGS["warmup"]))
        adam.zero_grad(set_to_none=True)
        loss = loss_of(model, rows, SETTINGS["smoothing"])
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        adam.step()
        tokens += sum(len(r[1]) + 1 for r in rows)
    model.eval()
    with torch.inference_mode():
        losses = [(loss_of(model, rows, 0).item(), sum(len(r[1]) + 1 for r in rows)) for rows in batches(valid, False)]
    torch.save({"pieces": pieces.getvalue(), "model": model.state_dict()}, options.out)
    return dict(tokens=tokens, valid_loss=sum(l * n for l, n in losses) / sum(n for _, n in losses))


@torch.inference_mode()
def beam_search(model, sources, beam):
    """Of each source the best of the first `beam` that finish, by log-probability."""
    rows, lengths = len(sources), torch.tensor([len(s) for s in sources])
    limits = [2 * len(s) + 10 for s in sources]
    m = {name: x.repeat_interleave(beam, 0) for name, x in model.encode(padded(sources), lengths).items()}
    cache = model.begin(m, max(limits))
    score = torch.full((rows, beam), -1e9)
    score[:, 0] = 0
    token, text = torch.full((rows * beam,), BEGIN), [[[] for _ in range(beam)] for _ in range(rows)]
    places, finished = list(range(rows)), [[] for _ in range(rows)]
    for t in range(max(limits)):
        logp = F.log_softmax(model.step(token, t, m, cache), -1)
        logp[:, [PAD, BEGIN]] = -1e9
        total = (score[:, :, None] + logp.view(len(places), beam, -1)).flatten(1)
        best, index = total.topk(2 * beam, -1)
        best, origin, chosen = best.tolist(), (index // VOCABULARY).tolist(), (index % VOCABULARY).tolist()
        stay, score, order, token = [], [], [], []
        for row, place in enumerate(places):
            open_, done, cut = [], finished[place], t + 1 >= limits[place]
            for i, (s, o, k) in enumerate(zip(best[row], origin[row], chosen[row])):
                words = text[place][o]
                if k == END:
                    if i < beam:
                        done.append((s, words))
                elif len(open_) < beam:
                    open_.append((s, o, k, words + [k]))
            if cut:
                done.extend((s, words) for s, _, _, words in open_)
            if len(done) >= beam or cut:
                continue
            stay.append(place)
            text[place] = [words for _, _, _, words in open_]
            score.append([s for s, _, _, _ in open_])
            order.extend(row * beam + o for _, o, _, _ in open_)
            token.extend(k for _, _, k, _ in open_)
        if not stay:
            break
        places, score, order, token = stay, torch.tensor(score), torch.tensor(order), torch.tensor(token)
        m = {name: x[order] for name, x in m.items()}
        cache = {name: x[order] for name, x in cache.items()}
    return [max(done, key=lambda d: d[0])[1] for done in finished]


def translate():
    saved = torch.load(options.start, weights_only=True)
    cutter = sentencepiece.SentencePieceProcessor(model_proto=saved["pieces"])
    model = {"rnn": Rnn, "transformer": Transformer}[options.model]()
    model.load_state_dict(saved["model"])
    model.eval()
    with open(options.input, encoding="utf-8") as file:
        sources = [cutter.encode(line.rstrip("\n")) for line in file]
    order = sorted((i for i, s in enumerate(sources) if s), key=lambda i: -len(sources[i]))
    results, tokens = [""] * len(sources), 0
    for first in range(0, len(order), 64):
        part = order[first:first + 64]
        for i, found in zip(part, beam_search(model, [sources[i] for i in part], options.beam)):
            results[i] = cutter.decode(found)
            tokens += len(found) + 1
    with open(options.output, "w", encoding="utf-8") as file:
        file.writelines(result + "\n" for result in results)
    return dict(tokens=tokens)


torch.manual_seed(1), random.seed(1)
begin = time.perf_counter()
line = epoch() if options.what == "epoch" else translate()
print(json.dumps(dict(line, what=options.what, model=options.model, seconds=time.perf_counter() - begin)))
