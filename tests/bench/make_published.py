#!/usr/bin/env python3
"""make_published.py -- folders as model hubs have them, of the sizes of well-known models, with random weights.

    tests/bench/make_published.py opus-mt /tmp/opus-mt
    weft info /tmp/opus-mt; weft translate /tmp/opus-mt < ids.txt

There is no tokeniser: texts are ids. Of t5-small, t5-base, bart-base and opus-mt (en-de).
"""
import argparse
import json
import pathlib
import random
import struct

T5 = dict(model_type="t5", vocab_size=32128, d_model=512, d_kv=64, d_ff=2048, num_layers=6, num_decoder_layers=6, num_heads=8,
          feed_forward_proj="relu", relative_attention_num_buckets=32, dropout_rate=0.1, pad_token_id=0, eos_token_id=1,
          decoder_start_token_id=0, tie_word_embeddings=True)
BART = dict(model_type="bart", vocab_size=50265, d_model=768, encoder_layers=6, decoder_layers=6, encoder_attention_heads=12,
            decoder_attention_heads=12, encoder_ffn_dim=3072, decoder_ffn_dim=3072, activation_function="gelu",
            max_position_embeddings=1024, scale_embedding=False, dropout=0.1, attention_dropout=0.1, activation_dropout=0.1,
            pad_token_id=1, bos_token_id=0, eos_token_id=2, decoder_start_token_id=2, forced_eos_token_id=2)
MARIAN = dict(model_type="marian", vocab_size=58101, d_model=512, encoder_layers=6, decoder_layers=6, encoder_attention_heads=8,
              decoder_attention_heads=8, encoder_ffn_dim=2048, decoder_ffn_dim=2048, activation_function="swish",
              max_position_embeddings=512, scale_embedding=True, static_position_embeddings=True, dropout=0.1, pad_token_id=58100,
              eos_token_id=0, decoder_start_token_id=58100, bad_words_ids=[[58100]], num_beams=1, max_length=512)


def t5_tensors(c):
    width, inner = c["d_model"], c["num_heads"] * c["d_kv"]
    yield "shared.weight", [c["vocab_size"], width]
    for side, layers in (("encoder", c["num_layers"]), ("decoder", c["num_decoder_layers"])):
        for i in range(layers):
            names = ["SelfAttention"] + (["EncDecAttention"] if side == "decoder" else [])
            for n, attention in enumerate(names):
                at = f"{side}.block.{i}.layer.{n}"
                for part in "qkv":
                    yield f"{at}.{attention}.{part}.weight", [inner, width]
                yield f"{at}.{attention}.o.weight", [width, inner]
                if i == 0 and n == 0:
                    yield f"{at}.{attention}.relative_attention_bias.weight", [c["relative_attention_num_buckets"], c["num_heads"]]
                yield f"{at}.layer_norm.weight", [width]
            at = f"{side}.block.{i}.layer.{len(names)}"
            yield f"{at}.DenseReluDense.wi.weight", [c["d_ff"], width]
            yield f"{at}.DenseReluDense.wo.weight", [width, c["d_ff"]]
            yield f"{at}.layer_norm.weight", [width]
        yield f"{side}.final_layer_norm.weight", [width]


def bart_tensors(c):
    width = c["d_model"]
    yield "model.shared.weight", [c["vocab_size"], width]
    yield "final_logits_bias", [1, c["vocab_size"]]
    for side in ("encoder", "decoder"):
        if c["model_type"] == "bart":
            yield f"model.{side}.embed_positions.weight", [c["max_position_embeddings"] + 2, width]
            for part in ("weight", "bias"):
                yield f"model.{side}.layernorm_embedding.{part}", [width]
        for i in range(c[f"{side}_layers"]):
            at, inner = f"model.{side}.layers.{i}", c[f"{side}_ffn_dim"]
            for attention in ["self_attn"] + (["encoder_attn"] if side == "decoder" else []):
                for part in ("q_proj", "k_proj", "v_proj", "out_proj"):
                    yield f"{at}.{attention}.{part}.weight", [width, width]
                    yield f"{at}.{attention}.{part}.bias", [width]
                for part in ("weight", "bias"):
                    yield f"{at}.{attention}_layer_norm.{part}", [width]
            yield f"{at}.fc1.weight", [inner, width]
            yield f"{at}.fc1.bias", [inner]
            yield f"{at}.fc2.weight", [width, inner]
            yield f"{at}.fc2.bias", [width]
            for part in ("weight", "bias"):
                yield f"{at}.final_layer_norm.{part}", [width]


T5_BASE = dict(T5, d_model=768, d_ff=3072, num_layers=12, num_decoder_layers=12, num_heads=12)

MODELS = {"t5-small": (T5, t5_tensors), "t5-base": (T5_BASE, t5_tensors), "bart-base": (BART, bart_tensors), "opus-mt": (MARIAN, bart_tensors)}


def values(name, shape, noise, draw):
    """The bytes of a tensor: norms are ones and zeros, all else small numbers."""
    count = 1
    for n in shape:
        count *= n
    if "norm" in name:
        return struct.pack("<f", 1.0 if name.endswith("weight") else 0.0) * count
    if name.endswith("bias") and len(shape) == 1 or name == "final_logits_bias":
        return bytes(4 * count)
    begin = 4 * draw.randrange(len(noise) // 8)
    block = noise[begin:] + noise[:begin]
    return (block * (4 * count // len(block) + 1))[:4 * count]


def write(folder, config, tensors):
    """Makes the folder; tensors(config) yields names and shapes. Returns the bytes of all."""
    draw = random.Random(1)
    noise = struct.pack("<65521f", *(draw.gauss(0, 0.02) for _ in range(65521)))
    header, at = {"__metadata__": {"format": "pt"}}, 0
    for name, shape in tensors(config):
        size = 4
        for n in shape:
            size *= n
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header).encode()
    text += b" " * (-(8 + len(text)) % 8)  # as the hub's files are aligned
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "model.safetensors", "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for name, shape in tensors(config):
            file.write(values(name, shape, noise, draw))
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    return at


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", choices=sorted(MODELS))
    parser.add_argument("folder", type=pathlib.Path)
    o = parser.parse_args()
    at = write(o.folder, *MODELS[o.model])
    print(f"{o.folder}: {at / 4e6:.1f} million parameters, {at / 1e6:.0f} MB")


if __name__ == "__main__":
    main()
