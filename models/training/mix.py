#!/usr/bin/env python3
"""Averages the weights of runs that began from the same ones, and, if it is named, of the base.

    python3 mix.py OUT_FOLDER FOLDER[=weight]... [--head first|mean]

Scale (its logarithm) and bias are averaged over the folders that have a head. Directions and offsets are the first folder's, for those of runs with
other seeds do not correspond; --head mean averages them as well, of runs that went on from the same one.
"""
import argparse
from pathlib import Path

import torch

from router import Router


def main():
    p = argparse.ArgumentParser()
    p.add_argument('out'), p.add_argument('folders', nargs='+'), p.add_argument('--head', choices=['first', 'mean'], default='first')
    a = p.parse_args()
    parts = [(folder, float(weight or 1)) for folder, _, weight in (f.partition('=') for f in a.folders)]
    models = [Router(folder) for folder, _ in parts]
    trained = [(Path(folder) / 'head.pt').exists() for folder, _ in parts]
    if not any(trained) or (a.head == 'first' and not trained[0]):
        p.error('the first folder has no head' if any(trained) else 'no folder has a head')
    mixed = Router(parts[0][0])
    with torch.no_grad():
        for name, kept in mixed.state_dict().items():
            if a.head == 'first' and name in ('head.directions', 'head.offsets'):
                continue
            used = [(model.state_dict()[name], weight) for model, (_, weight), has_head in zip(models, parts, trained) if has_head or not name.startswith('head.')]
            if kept.is_floating_point():
                kept.copy_(sum(tensor * weight for tensor, weight in used) / sum(weight for _, weight in used))
    Path(a.out).mkdir(parents=True, exist_ok=True)
    mixed.save(a.out)


if __name__ == '__main__':
    main()
