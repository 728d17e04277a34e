#!/usr/bin/env python3
"""Scores a trained router, in float32, on files of tokens.mjs, and calibrates it.

    python3 evaluate.py FOLDER FILE.tokens... [--calibrated OUT_FOLDER]

Prints accuracy, precision and recall of `other`, expected calibration error (10 bins, as the tool) and the error rate on either side of a
confidence of 0.5. With --calibrated: fits one temperature and what is added to the logit of `other` on all the files, each of the same
weight, shows the figures with them, and writes the router with both built in.
"""
import argparse
import math
from pathlib import Path

import torch
import torch.nn.functional as F

from router import AS_IS, DEVICE, Router, calibrated, read


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
    return sum(int(calibrated(r, o, AS_IS).argmax()) == label for r, o, label in scored) / max(1, len(scored))


def figures(scored, calibration=AS_IS):
    """What the module's docstring names, of what outputs() gives."""
    said = [(calibrated(r, o, calibration)[0].softmax(0), label) for r, o, label in scored]
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


def fit(files):
    """The calibration of the least negative log-likelihood, by golden-section searches in turn. files: what outputs() gives, of each."""
    tables = []
    for scored in files:
        routes = torch.nn.utils.rnn.pad_sequence([r[0] for r, *_ in scored], batch_first=True, padding_value=float('-inf'))
        labels = [label if label < r.shape[1] else routes.shape[1] for r, _, label in scored]
        tables.append((routes, torch.cat([o for _, o, _ in scored]), torch.tensor(labels)))

    def loss(calibration):
        return sum(float(F.cross_entropy(calibrated(r, o, calibration), labels)) for r, o, labels in tables)
    temperature, shift = AS_IS
    for _ in range(4):
        temperature = least(lambda t: loss((t, shift)), 0.3, 4.0)
        shift = least(lambda s: loss((temperature, s)), -10.0, 10.0)
    return temperature, shift


def least(function, low, high, ratio=(math.sqrt(5) - 1) / 2):
    """Where a function with one valley is lowest."""
    for _ in range(20):
        a, b = high - ratio * (high - low), low + ratio * (high - low)
        low, high = (low, b) if function(a) < function(b) else (a, high)
    return (low + high) / 2


def show(name, scored, calibration=AS_IS):
    print(f'{name:16}', ' '.join(f'{k} {v:.3f}' if isinstance(v, float) else f'{k} {v if v is not None else "–"}' for k, v in figures(scored, calibration).items()), flush=True)


def macro(files, calibration=AS_IS):
    """Mean accuracy of {name: what outputs() gives}."""
    return sum(figures(scored, calibration)['accuracy'] for scored in files.values()) / len(files)


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
        c = fit(list(scored.values()))
        print('temperature %.3f, `other` %+.3f' % c)
        for name, rows in scored.items():
            show(name, rows, c)
        print(f'macro {macro(scored, c):.4f}')
        show('all', [row for rows in scored.values() for row in rows])
        show('all, calibrated', [row for rows in scored.values() for row in rows], c)
        model.calibrate(c)
        Path(a.calibrated).mkdir(parents=True, exist_ok=True)
        model.save(a.calibrated)


if __name__ == '__main__':
    main()
