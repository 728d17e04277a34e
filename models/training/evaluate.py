#!/usr/bin/env python3
"""Scores a trained router, in float32, on files of tokens.mjs, and fits its temperature.

    python3 evaluate.py FOLDER FILE.tokens... [--temperature]

Prints accuracy, precision and recall of `other`, expected calibration error (15 bins) and the error rate on either side of a
confidence of 0.5. With --temperature: fits one temperature on all the files together, shows the figures with it, and divides the
head by it, so that the model that is exported is calibrated.
"""
import argparse
import math
from pathlib import Path

import torch
import torch.nn.functional as F

from router import Router, read


@torch.no_grad()
def outputs(model, groups, at_once=32):
    """-> [(logits of the routes and `other`, label)...], one a conversation."""
    out = []
    for start in range(0, len(groups), at_once):
        part = groups[start:start + at_once]
        for matrix, group in zip(model.logits(part), part):
            out += [(row.float().cpu(), item['label']) for row, item in zip(matrix, group['items'])]
    return out


def accuracy(model, groups):
    scored = outputs(model, groups)
    return sum(int(row.argmax()) == label for row, label in scored) / max(1, len(scored))


def figures(scored, temperature=1.0):
    """What the module's docstring names, of [(logits, label)...]."""
    said = [((row / temperature).softmax(0), label) for row, label in scored]
    return summary([(float(p.max()), int(p.argmax()) == label, int(p.argmax()) == len(p) - 1, label == len(p) - 1) for p, label in said])


def summary(rows, bins=15):
    """The same of [(confidence, right?, said `other`?, is `other`?)...]."""
    share = lambda hits, of: sum(hits) / len(of) if of else None
    error = 0.0
    for b in range(bins):
        mine = [r for r in rows if b < r[0] * bins <= b + 1]
        error += abs(sum(r[0] for r in mine) - sum(r[1] for r in mine)) / len(rows)
    claimed, true = [r for r in rows if r[2]], [r for r in rows if r[3]]
    low, high = [r for r in rows if r[0] < 0.5], [r for r in rows if r[0] >= 0.5]
    return {'n': len(rows), 'accuracy': share([r[1] for r in rows], rows), 'other P': share([r[3] for r in claimed], claimed),
            'other R': share([r[2] for r in true], true), 'ECE': error,
            'errors < 0.5': share([not r[1] for r in low], low), 'errors >= 0.5': share([not r[1] for r in high], high), 'share < 0.5': len(low) / len(rows)}


def fit_temperature(scored):
    """The temperature of the least negative log-likelihood, by golden-section search."""
    loss = lambda t: sum(float(F.cross_entropy((row / t)[None], torch.tensor([label]))) for row, label in scored)
    low, high, ratio = 0.3, 3.0, (math.sqrt(5) - 1) / 2
    for _ in range(40):
        a, b = high - ratio * (high - low), low + ratio * (high - low)
        low, high = (low, b) if loss(a) < loss(b) else (a, high)
    return (low + high) / 2


def show(name, scored, temperature=1.0):
    print(f'{name:16}', ' '.join(f'{k} {v:.3f}' if isinstance(v, float) else f'{k} {v if v is not None else "–"}' for k, v in figures(scored, temperature).items()), flush=True)


def main():
    p = argparse.ArgumentParser()
    p.add_argument('folder'), p.add_argument('files', nargs='+'), p.add_argument('--temperature', action='store_true')
    a = p.parse_args()
    model = Router(a.folder).eval()
    all_scored, accuracies = [], []
    for path in a.files:
        scored = outputs(model, read(path))
        show(Path(path).name.removesuffix('.tokens'), scored)
        all_scored += scored
        accuracies.append(figures(scored)['accuracy'])
    print(f'macro {sum(accuracies) / len(accuracies):.4f}')
    if a.temperature:
        t = fit_temperature(all_scored)
        print(f'temperature {t:.3f}')
        show('all, before', all_scored)
        show('all, with it', all_scored, t)
        with torch.no_grad():
            model.head['scale'] -= math.log(t)
            model.head['bias'] /= t
            model.head['offsets'] /= t
        model.save(a.folder)


if __name__ == '__main__':
    main()
