#!/usr/bin/env python3
"""A BERT encoder -> a GGUF that llama.cpp loads as an embedding model, with the routing head in its metadata.

    python3 export.py FOLDER OUT.gguf --vocabulary BASE_FOLDER [--type Q8_0|F16|F32]

FOLDER: what train.py saved, or the base itself (no head.pt: a plain encoder, whose tokenizer is what tokens.mjs needs).
"""
import argparse
from pathlib import Path

import gguf
import torch
from gguf import GGMLQuantizationType, GGUFWriter
from transformers import AutoModel

SPECIAL = {'[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]'}
# Name of a tensor outside the layers, and within one, in Hugging Face's BERT -> in GGUF.
OUTER = {'embeddings.word_embeddings': 'token_embd', 'embeddings.position_embeddings': 'position_embd',
         'embeddings.token_type_embeddings': 'token_types', 'embeddings.LayerNorm': 'token_embd_norm'}
INNER = {'attention.self.query': 'attn_q', 'attention.self.key': 'attn_k', 'attention.self.value': 'attn_v', 'attention.output.dense': 'attn_output',
         'attention.output.LayerNorm': 'attn_output_norm', 'intermediate.dense': 'ffn_up', 'output.dense': 'ffn_down', 'output.LayerNorm': 'layer_output_norm'}
# llama.cpp adds them to what was quantised: they stay as they are.
WHOLE = {'embeddings.position_embeddings', 'embeddings.token_type_embeddings'}


def piece(token):
    """WordPiece marks what goes on a word (##), GGUF what begins one (U+2581)."""
    if token.startswith('[') and token.endswith(']'):
        return token
    return token[2:] if token.startswith('##') else '\u2581' + token


def write_vocabulary(writer, tokens):
    writer.add_tokenizer_model('bert')
    writer.add_tokenizer_pre('default')
    writer.add_token_type_count(2)
    writer.add_token_list([piece(t) for t in tokens])
    kinds = gguf.TokenType
    writer.add_token_types([kinds.CONTROL if t in SPECIAL else kinds.UNUSED if t.startswith('[unused') else kinds.NORMAL for t in tokens])
    at = {t: i for i, t in enumerate(tokens)}
    writer.add_pad_token_id(at['[PAD]'])
    writer.add_unk_token_id(at['[UNK]'])
    writer.add_sep_token_id(at['[SEP]'])
    writer.add_mask_token_id(at['[MASK]'])
    writer.add_uint32('tokenizer.ggml.cls_token_id', at['[CLS]'])
    writer.add_bos_token_id(at['[CLS]'])
    writer.add_eos_token_id(at['[SEP]'])


def write_head(writer, head):
    directions = torch.nn.functional.normalize(head['directions'], dim=-1)
    writer.add_string('arch_route.kind', 'encoder')
    writer.add_float32('arch_route.scale', float(head['scale'].exp()))
    writer.add_float32('arch_route.other.bias', float(head['bias']))
    writer.add_uint32('arch_route.other.count', len(directions))
    writer.add_array('arch_route.other.directions', [float(x) for x in directions.flatten()])
    writer.add_array('arch_route.other.offsets', [float(x) for x in head['offsets']])


def write_tensors(writer, model, kind):
    """The weights of a BERT, matrices in `kind`."""
    names = dict(OUTER)
    for i in range(model.config.num_hidden_layers):
        names.update({f'encoder.layer.{i}.{theirs}': f'blk.{i}.{ours}' for theirs, ours in INNER.items()})
    for key, tensor in model.state_dict().items():
        base, suffix = key.rsplit('.', 1)
        if base not in names:
            print('left out:', key)
            continue
        values = tensor.float().numpy()
        as_type = kind if values.ndim == 2 and base not in WHOLE else GGMLQuantizationType.F32
        writer.add_tensor(f'{names[base]}.{suffix}', gguf.quants.quantize(values, as_type), raw_dtype=as_type)


def main():
    p = argparse.ArgumentParser()
    p.add_argument('folder'), p.add_argument('out'), p.add_argument('--vocabulary', required=True), p.add_argument('--type', default='Q8_0')
    a = p.parse_args()
    kind = GGMLQuantizationType[a.type]
    model = AutoModel.from_pretrained(a.folder)
    c = model.config
    w = GGUFWriter(a.out, 'bert')
    w.add_name('arch-route mini'), w.add_license('mit')
    w.add_block_count(c.num_hidden_layers), w.add_context_length(c.max_position_embeddings), w.add_embedding_length(c.hidden_size)
    w.add_feed_forward_length(c.intermediate_size), w.add_head_count(c.num_attention_heads), w.add_layer_norm_eps(c.layer_norm_eps)
    w.add_causal_attention(False), w.add_pooling_type(gguf.PoolingType.MEAN)
    w.add_file_type({'Q8_0': gguf.LlamaFileType.MOSTLY_Q8_0, 'F16': gguf.LlamaFileType.MOSTLY_F16, 'F32': gguf.LlamaFileType.ALL_F32}[a.type])
    write_vocabulary(w, (Path(a.vocabulary) / 'vocab.txt').read_text(encoding='utf-8').split('\n')[:c.vocab_size])
    head = Path(a.folder) / 'head.pt'
    if head.exists():
        write_head(w, torch.load(head))
    write_tensors(w, model, kind)
    w.write_header_to_file(), w.write_kv_data_to_file(), w.write_tensors_to_file(), w.close()


if __name__ == '__main__':
    main()
