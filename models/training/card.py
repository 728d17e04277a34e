#!/usr/bin/env python3
"""Prints the tables of the model card.

    python3 card.py DATA MODEL.gguf [--untrained BASE_FOLDER] [--answers ANSWERS.jsonl]

DATA: what build_data.py wrote, for --untrained with the .tokens beside it. The model is scored by the tool itself (`arch-route eval`), on one thread.
--untrained: the base's cosines, a route or `other` by the threshold that does best on that very suite: more than it could do in use.
--answers: what a batch of the tool, or a reader, said to records with ids `suite:line` or `val_part:line`: results/*.jsonl.
"""
import argparse
import json
import math
import subprocess
from pathlib import Path

import torch

from evaluate import summary
from router import Router, read

TOOL = Path(__file__).resolve().parents[2] / 'bin' / 'arch-route.js'
SUITES = ['banking77', 'hwu64', 'clinc_unseen', 'sgd_unseen', 'oos', 'authored', 'mtbench']


def scored_by_tool(model, path):
    """-> the report of `arch-route eval`."""
    done = subprocess.run(['node', TOOL, 'eval', '--model', model, '--threads', '1', '--gpu', 'off', '--json', path], stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout)


def row_of(report):
    other = next((r for r in report['routes'] if r['route'] == 'other'), {'precision': None, 'recall': None})
    halves = []
    for low in (True, False):
        bins = [b for b in report['calibration']['bins'] if b['count'] and (b['to'] <= 0.5) == low]
        count = sum(b['count'] for b in bins)
        halves.append((1 - sum(b['count'] * b['accuracy'] for b in bins) / count) if count else None)
    return {'n': report['records'], 'accuracy': report['accuracy'], 'other P': other['precision'], 'other R': other['recall'], 'ECE': report['calibration']['ece'],
            'errors < 0.5': halves[0], 'errors >= 0.5': halves[1], 'ms': report['latency_ms']['p50']}


@torch.no_grad()
def untrained(model, path):
    """Best accuracy over all thresholds of the logit."""
    groups, rows = read(path), []
    for start in range(0, len(groups), 32):
        part = groups[start:start + 32]
        for (scores, _), g in zip(model.parts(part), part):
            for best, index, item in zip(*scores.max(1), g['items']):
                rows.append((float(best), int(index) == item['label'], item['label'] == len(g['routes'])))
    return max(sum(right if score >= t else other for score, right, other in rows) / len(rows) for t in [*sorted(r[0] for r in rows), math.inf])


def answered(path, data):
    """-> {suite: row}, of the records that have an answer."""
    labels, rows = {}, {}
    for line in open(path, encoding='utf-8'):
        answer = json.loads(line)
        if 'ranking' not in answer:
            print('no answer:', answer['id'])
            continue
        suite, index = answer['id'].split(':')
        if suite not in labels:
            with open(data / f'{suite if suite.startswith("val_") else "test_" + suite}.jsonl', encoding='utf-8') as records:
                labels[suite] = [(r['route'], {*(route['name'] for route in r['routes']), 'other'}) for r in map(json.loads, records)]
        label, known = labels[suite][int(index)]
        if not known.issuperset(entry['route'] for entry in answer['ranking']):
            raise SystemExit(f'{path}: {answer["id"]} is another record in {data}')
        best = answer['ranking'][0]
        rows.setdefault(suite, []).append((best['probability'], best['route'] == label, best['route'] == 'other', label == 'other'))
    return {suite: summary(r) for suite, r in rows.items()}


def line(name, row):
    shown = [f'{v:.3f}' if isinstance(v, float) else '–' if v is None else str(v) for v in (row.get(k) for k in COLUMNS)]
    print(f'| {name} | ' + ' | '.join(shown) + ' |', flush=True)


COLUMNS = ['n', 'accuracy', 'other P', 'other R', 'ECE', 'errors < 0.5', 'errors >= 0.5', 'ms']


def table(title, rows):
    print(f'\n{title}\n\n| suite | ' + ' | '.join(COLUMNS) + ' |\n|' + '---|' * (len(COLUMNS) + 1))
    for suite, row in rows:
        line(suite, row)
    print(f'mean accuracy {sum(row["accuracy"] for _, row in rows) / len(rows):.4f}')


def main():
    p = argparse.ArgumentParser()
    p.add_argument('data', type=Path), p.add_argument('model', type=Path), p.add_argument('--untrained'), p.add_argument('--answers', type=Path)
    a = p.parse_args()
    table(f'{a.model.name}, {a.model.stat().st_size:,} bytes', [(s, row_of(scored_by_tool(a.model, a.data / f'test_{s}.jsonl'))) for s in SUITES])
    if a.untrained:
        torch.set_num_threads(1)
        model = Router(a.untrained).eval()
        table('untrained, best threshold of each suite', [(s, {'accuracy': untrained(model, a.data / f'test_{s}.tokens')}) for s in SUITES])
    if a.answers:
        table(a.answers.name, list(answered(a.answers, a.data).items()))


if __name__ == '__main__':
    main()
