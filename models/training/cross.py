#!/usr/bin/env python3
"""A comparison, not part of the recipe: a cross-encoder over (conversation, route) pairs, alone and as a second stage.

    python3 cross.py BASE_FOLDER TRAIN.tokens --first ROUTER_FOLDER --minutes 20 --validation VAL.tokens...

One text `[CLS] conversation [SEP] route [SEP]` a pair, its score read from [CLS] through a dense layer, tanh and a row of weights: what
llama.cpp's rank pooling computes. `other` has a learned score of its own. Trained on the right route and a few others of its set.
"""
import argparse
import random
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from transformers import AutoModel

from evaluate import outputs
from router import AS_IS, Router, calibrated, frame_of, read

OTHERS = 4
WEIGHTS = (0.0, 0.25, 0.5, 0.75, 1.0)


class Cross(torch.nn.Module):
    def __init__(self, folder):
        super().__init__()
        self.encoder = AutoModel.from_pretrained(folder, attn_implementation='sdpa')
        width = self.encoder.config.hidden_size
        self.frame = frame_of(self.encoder.config)
        self.dense, self.out = torch.nn.Linear(width, width), torch.nn.Linear(width, 1)
        self.other = torch.nn.Parameter(torch.zeros(()))
        for module in self.encoder.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = 0.0

    def scores(self, pairs, most_tokens=900):
        """[(tokens of a conversation, tokens of a route)...] -> their scores (n)."""
        before, behind = self.frame
        texts = [[before, *query, behind, *route, behind] for query, route in pairs]
        order, rows, start = sorted(range(len(texts)), key=lambda i: len(texts[i])), [None] * len(texts), 0
        while start < len(order):
            end = start + 1
            while end < len(order) and (end + 1 - start) * len(texts[order[end]]) <= most_tokens:
                end += 1
            part, longest = order[start:end], len(texts[order[end - 1]])
            ids = torch.tensor([texts[i] + [0] * (longest - len(texts[i])) for i in part])
            mask = torch.tensor([[1] * len(texts[i]) + [0] * (longest - len(texts[i])) for i in part])
            first = self.encoder(input_ids=ids, attention_mask=mask).last_hidden_state[:, 0]
            for i, score in zip(part, self.out(torch.tanh(self.dense(first))).float()[:, 0]):
                rows[i] = score
            start = end
        return torch.stack(rows)

    def logits(self, items):
        """[(query, [route...])...] -> a row of logits each, `other` last."""
        scores = self.scores([(query, route) for query, routes in items for route in routes])
        return [torch.cat([row, self.other[None]]) for row in scores.split([len(routes) for _, routes in items])]


def draw(group, rng):
    """An item of a group, its label among the right route and a few others."""
    item = rng.choice(group['items'])
    wrong = [i for i in range(len(group['routes'])) if i != item['label']]
    shown = rng.sample(wrong, min(OTHERS, len(wrong))) + ([item['label']] if item['label'] < len(group['routes']) else [])
    rng.shuffle(shown)
    label = shown.index(item['label']) if item['label'] in shown else len(shown)
    return (item['query'], [group['routes'][i] for i in shown]), label


@torch.no_grad()
def judge(model, first, groups):
    """Accuracy alone, and by the weight of the cross-encoder's log-probabilities among the three routes that the first stage likes best, and `other`."""
    right, count = [0] * (len(WEIGHTS) + 1), 0
    stages = iter(outputs(first, groups))
    for group in groups:
        for item in group['items']:
            routes, other, label = next(stages)
            bi = calibrated(routes, other, AS_IS)[0]
            with torch.autocast('cpu', dtype=torch.bfloat16):
                cross = model.logits([(item['query'], group['routes'])])[0].float()
            best = set(bi[:-1].topk(min(3, len(bi) - 1)).indices.tolist()) | {len(bi) - 1}
            aside = torch.tensor([i not in best for i in range(len(bi))])
            log = [x.log_softmax(0).masked_fill(aside, float('-inf')) for x in (bi, cross)]
            for k, weight in enumerate(WEIGHTS):
                right[k] += int(((1 - weight) * log[0] + weight * log[1]).nan_to_num(nan=float('-inf')).argmax()) == label
            right[-1] += int(cross.argmax()) == label
            count += 1
    return [r / count for r in right]


def main():
    p = argparse.ArgumentParser()
    p.add_argument('base'), p.add_argument('data'), p.add_argument('--first', required=True)
    p.add_argument('--minutes', type=float, default=20), p.add_argument('--lr', type=float, default=1e-4)
    p.add_argument('--batch', type=int, default=24), p.add_argument('--threads', type=int, default=1)
    p.add_argument('--validation', nargs='*', default=[])
    a = p.parse_args()
    torch.set_num_threads(a.threads), torch.manual_seed(1)
    rng, model, data = random.Random(1), Cross(a.base), read(a.data)
    optimizer = torch.optim.AdamW(model.parameters(), lr=a.lr, weight_decay=0.01)
    started, step, window = time.time(), 0, []
    while (share := (time.time() - started) / (a.minutes * 60)) < 1:
        for group in optimizer.param_groups:
            group['lr'] = a.lr * min(1, (step + 1) / 30) * (1 - share)
        drawn = [draw(group, rng) for group in rng.sample(data, a.batch)]
        with torch.autocast('cpu', dtype=torch.bfloat16):
            rows = model.logits([item for item, _ in drawn])
        loss = sum(F.cross_entropy(row[None].float(), torch.tensor([label])) for row, (_, label) in zip(rows, drawn)) / len(rows)
        loss.backward(), torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0), optimizer.step(), optimizer.zero_grad(set_to_none=True)
        step += 1
        window = [*window, *(int(row.argmax()) == label for row, (_, label) in zip(rows, drawn))][-600:]
        if step % 25 == 0:
            print(f'step {step} accuracy {sum(window) / len(window):.3f} {step * a.batch / (time.time() - started):.1f}/s', flush=True)
    first = Router(a.first).eval()
    for path in a.validation:
        *stacked, alone = judge(model, first, read(path))
        print(Path(path).name, f'alone {alone:.3f}, second stage', ' '.join(f'{w}: {r:.3f}' for w, r in zip(WEIGHTS, stacked)), flush=True)


if __name__ == '__main__':
    main()
