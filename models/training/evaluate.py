#!/usr/bin/env python3
"""Scores a trained router, in float32, on files of tokens.mjs, and fits its temperature.

    python3 evaluate.py FOLDER FILE.tokens... [--calibrated OUT_FOLDER]

Prints accuracy, precision and recall of `other`, expected calibration error (10 bins, as the tool) and the error rate on either side of a
confidence of 0.5. With --calibrated: fits one temperature on all the files, each of the same weight, shows the figures with it, and writes
the router with its head divided by it.
"""
import argparse
import math
from pathlib import Path

import torch
import torch.nn.functional as F

from router import DEVICE, Router, at_temperature, read


@torch.no_grad()
def outputs(model, groups, at_once=32):
    """-> [(logits of the routes (1, n), what `other` is summed of (1, K + 1), label)...], one a conversation."""
    out = []
    for start in range(0, len(groups), at_once):
        part = groups[start:start + at_once]
        for (routes, other), group in zip(model.parts(part), part):
            out += [(routes[i:i + 1].cpu(), other[i:i + 1].cpu(), item['label']) for i, item in enumerate(group['items'])]
    return out


def accuracy(model, groups):
    scored = outputs(model, groups)
    return sum(int(at_temperature(r, o, 1.0).argmax()) == label for r, o, label in scored) / max(1, len(scored))


def figures(scored, temperature=1.0):
    """What the module's docstring names, of what outputs() gives."""
    said = [(at_temperature(r, o, temperature)[0].softmax(0), label) for r, o, label in scored]
    return summary([(float(p.max()), int(p.argmax()) == label, int(p.argmax()) == len(p) - 1, label == len(p) - 1) for p, label in said])


def summary(rows, bins=10):
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


def fit_temperature(files):
    """The temperature of the least negative log-likelihood, by golden-section search. files: what outputs() gives, of each."""
    def loss(t):
        return sum(sum(float(F.cross_entropy(at_temperature(r, o, t), torch.tensor([label]))) for r, o, label in scored) / len(scored) for scored in files)
    low, high, ratio = 0.3, 3.0, (math.sqrt(5) - 1) / 2
    for _ in range(16):
        a, b = high - ratio * (high - low), low + ratio * (high - low)
        low, high = (low, b) if loss(a) < loss(b) else (a, high)
    return (low + high) / 2


def show(name, scored, temperature=1.0):
    print(f'{name:16}', ' '.join(f'{k} {v:.3f}' if isinstance(v, float) else f'{k} {v if v is not None else "–"}' for k, v in figures(scored, temperature).items()), flush=True)


def macro(files, temperature=1.0):
    """Mean accuracy of {name: what outputs() gives}. The temperature has a say in it: what `other` is summed of is divided before it is summed."""
    return sum(figures(scored, temperature)['accuracy'] for scored in files.values()) / len(files)


def main():
    p = argparse.ArgumentParser()
    p.add_argument('folder'), p.add_argument('files', nargs='+'), p.add_argument('--calibrated')
    a = p.parse_args()
    model = Router(a.folder).to(DEVICE).eval()
    scored = {Path(path).name.removesuffix('.tokens'): outputs(model, read(path)) for path in a.files}
    for name, rows in scored.items():
        show(name, rows)
    print(f'macro {macro(scored):.4f}')
    if a.calibrated:
        t = fit_temperature(list(scored.values()))
        print(f'temperature {t:.3f}')
        for name, rows in scored.items():
            show(name, rows, t)
        print(f'macro {macro(scored, t):.4f}')
        show('all', [row for rows in scored.values() for row in rows])
        show('all, divided', [row for rows in scored.values() for row in rows], t)
        model.divide(t)
        Path(a.calibrated).mkdir(parents=True, exist_ok=True)
        model.save(a.calibrated)


if __name__ == '__main__':
    main()
