#!/usr/bin/env python3
"""Fine-tunes an encoder as a router.

    python3 train.py BASE_FOLDER TRAIN.tokens OUT_FOLDER [--examples 200000] [--validation VAL.tokens...]

Keeps a checkpoint in OUT_FOLDER every few minutes and goes on from it when it is started again with the same arguments. The
weights that are kept are a running mean of the trained ones. Uses a GPU if torch finds one. On a CPU, first:
    export OMP_WAIT_POLICY=passive MALLOC_MMAP_THRESHOLD_=4294967296 MALLOC_TRIM_THRESHOLD_=17179869184
"""
import argparse
import copy
import math
import os
import random
import time
from pathlib import Path

import torch
import torch.nn.functional as F

from evaluate import accuracy
from router import Router, read

WARM_UP = 30
# Cosine of two routes from which on they may mean the same.
NEAR = 0.6


def parse():
    p = argparse.ArgumentParser()
    p.add_argument('base'), p.add_argument('data'), p.add_argument('out')
    p.add_argument('--validation', nargs='*', default=[])
    p.add_argument('--examples', type=int, default=200_000, help='conversations to see in all')
    p.add_argument('--batch', type=int, default=16, help='groups in a step')
    p.add_argument('--lr', type=float, default=1.5e-4)
    p.add_argument('--frozen', type=int, default=0, help='layers, from the words up, that stay as they are')
    p.add_argument('--contrast', type=float, default=0.0, help='weight of telling the right route from those of the other groups of a step')
    p.add_argument('--margin', type=float, default=0.0, help='taken from the cosine of the right route in training')
    p.add_argument('--scale', type=float, default=20.0, help='of the cosines, at the start')
    p.add_argument('--bias', type=float, default=4.0, help='logit of `other`, at the start')
    p.add_argument('--smoothing', type=float, default=0.02)
    p.add_argument('--averaging', type=float, default=0.995, help='decay of the running mean of the weights, a step')
    p.add_argument('--checkpoint', type=float, default=8, help='minutes between checkpoints')
    p.add_argument('--threads', type=int, default=2)
    p.add_argument('--seed', type=int, default=1)
    return p.parse_args()


def loss_of(model, groups, a):
    """Mean over the conversations of a batch, and how many were right."""
    total, right, count = 0.0, 0, 0
    vectors = model.vectors(groups)
    for matrix, group in zip(model.logits(groups, vectors), groups):
        labels = torch.tensor([i['label'] for i in group['items']], device=matrix.device)
        right += int((matrix.argmax(1) == labels).sum())
        if a.margin:
            is_route = (labels < matrix.shape[1] - 1).float()
            matrix = matrix - F.one_hot(labels, matrix.shape[1]) * (a.margin * model.head['scale'].exp().detach() * is_route)[:, None]
        total = total + F.cross_entropy(matrix.float(), labels, label_smoothing=a.smoothing, reduction='sum')
        count += len(labels)
    loss = total / count
    return (loss + a.contrast * contrast_of(model, groups, vectors) if a.contrast else loss), right, count


def contrast_of(model, groups, vectors):
    """Cross-entropy of the right route among the routes of the whole batch. Those that are near it may be right as well: left out."""
    routes = list({tuple(t): None for g in groups for t in g['routes']})
    index = {t: i for i, t in enumerate(routes)}
    pairs = [(vectors[tuple(i['query'])], index[tuple(g['routes'][i['label']])]) for g in groups for i in g['items'] if i['label'] < len(g['routes'])]
    queries, labels = torch.stack([q for q, _ in pairs]), torch.tensor([at for _, at in pairs], device=model.device)
    rows = torch.stack([vectors[t] for t in routes])
    near = (rows @ rows.T).detach()[labels] > NEAR
    near[torch.arange(len(labels)), labels] = False
    scores = (model.head['scale'].exp() * queries @ rows.T).masked_fill(near, float('-inf'))
    return F.cross_entropy(scores.float(), labels)


def main():
    a = parse()
    torch.set_num_threads(a.threads), random.seed(a.seed), torch.manual_seed(a.seed)
    device = 'cuda' if torch.cuda.is_available() else 'cpu'
    model = Router(a.base, scale=a.scale, bias=a.bias).to(device).train()
    mean = copy.deepcopy(model).eval()
    if a.frozen:
        model.freeze(a.frozen)
    data = read(a.data)
    per_group = sum(len(g['items']) for g in data) / len(data)
    steps = math.ceil(a.examples / (a.batch * per_group))
    optimizer = torch.optim.AdamW([
        {'params': model.encoder.parameters(), 'lr': a.lr, 'weight_decay': 0.01, 'peak': a.lr},
        {'params': model.head.parameters(), 'lr': a.lr * 20, 'weight_decay': 0.0, 'peak': a.lr * 20}])
    step, order = 0, []
    Path(a.out).mkdir(parents=True, exist_ok=True)
    checkpoint = Path(a.out) / 'checkpoint.pt'
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=False, map_location=device)
        model.load_state_dict(state['model']), mean.load_state_dict(state['mean']), optimizer.load_state_dict(state['optimizer'])
        step, order = state['step'], state['order']
        random.setstate(state['random'])
        print(f'goes on at step {step} of {steps}', flush=True)

    def save():
        state = {'model': model.state_dict(), 'mean': mean.state_dict(), 'optimizer': optimizer.state_dict(),
                 'step': step, 'order': order, 'random': random.getstate()}
        torch.save(state, checkpoint.with_suffix('.tmp'))
        os.replace(checkpoint.with_suffix('.tmp'), checkpoint)
        mean.save(a.out)

    validation = {Path(path).name.removesuffix('.tokens'): read(path) for path in a.validation}
    started = saved = time.time()
    window, seen = [0.0, 0, 0], 0
    while step < steps:
        factor = min(1, (step + 1) / WARM_UP) * (0.97 * 0.5 * (1 + math.cos(math.pi * step / steps)) + 0.03)
        for group in optimizer.param_groups:
            group['lr'] = group['peak'] * factor
        if len(order) < a.batch:
            order = random.sample(range(len(data)), len(data))
        batch = [data[order.pop()] for _ in range(a.batch)]
        with torch.autocast(device, dtype=torch.bfloat16):
            loss, right, count = loss_of(model, batch, a)
        loss.backward(), torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0), optimizer.step(), optimizer.zero_grad(set_to_none=True)
        step, seen = step + 1, seen + count
        decay = min(a.averaging, step / (step + 10))
        with torch.no_grad():
            for kept, trained in zip(mean.parameters(), model.parameters()):
                kept.lerp_(trained, 1 - decay)
        window = [window[0] + float(loss.detach()) * count, window[1] + right, window[2] + count]
        if step % 25 == 0:
            print(f'step {step}/{steps} loss {window[0] / window[2]:.3f} accuracy {window[1] / window[2]:.3f} {seen / (time.time() - started):.1f}/s', flush=True)
            window = [0.0, 0, 0]
        if time.time() - saved > a.checkpoint * 60 or step == steps:
            save()
            saved = time.time()
            shown = {name: accuracy(mean, groups) for name, groups in validation.items()}
            if shown:
                print('validation', ' '.join(f'{n} {v:.3f}' for n, v in shown.items()), f'macro {sum(shown.values()) / len(shown):.4f}', flush=True)


if __name__ == '__main__':
    main()
