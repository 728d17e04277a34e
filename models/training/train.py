#!/usr/bin/env python3
"""Fine-tunes an encoder as a router.

    python3 train.py BASE_FOLDER TRAIN.tokens OUT_FOLDER [--seed 1] [--validation VAL.tokens...]

Keeps a checkpoint in OUT_FOLDER every few minutes and goes on from it when it is started again with the same arguments and files. The
weights that are kept are a running mean of the trained ones. Uses a GPU if torch finds one. On a CPU, first:
    export OMP_WAIT_POLICY=passive MALLOC_MMAP_THRESHOLD_=4294967296 MALLOC_TRIM_THRESHOLD_=17179869184
"""
import argparse
import copy
import hashlib
import math
import os
import random
import time
from pathlib import Path

import torch
import torch.nn.functional as F

from evaluate import accuracy
from router import BIAS, DEVICE, SCALE, Router, read

WARM_UP = 100
LABEL_SMOOTHING = 0.02
# Decay of the running mean of the weights, a step.
AVERAGING = 0.995


def parse():
    p = argparse.ArgumentParser()
    p.add_argument('base'), p.add_argument('data'), p.add_argument('out')
    p.add_argument('--validation', nargs='*', default=[])
    p.add_argument('--examples', type=int, default=300_000, help='conversations to see in all')
    p.add_argument('--batch', type=int, default=64, help='groups in a step')
    p.add_argument('--lr', type=float, default=2e-4)
    p.add_argument('--dropout', type=float, default=0.1)
    p.add_argument('--frozen', type=int, default=0, help='layers, from the words up, that stay as they are')
    p.add_argument('--contrast', type=float, default=0.3, help='weight of telling the right route from those of the other groups of a step')
    p.add_argument('--alike', type=float, default=0.85, help='cosine of two routes from which on they may mean the same: no contrast of them')
    p.add_argument('--margin', type=float, default=0.1, help='taken from the cosine of the right route in training')
    p.add_argument('--scale', type=float, default=SCALE, help='of the cosines, at the start')
    p.add_argument('--bias', type=float, default=BIAS, help='logit of `other`, at the start')
    p.add_argument('--checkpoint', type=float, default=8, help='minutes between checkpoints')
    p.add_argument('--threads', type=int, default=2)
    p.add_argument('--seed', type=int, default=1)
    return p.parse_args()


def loss_of(model, groups, a):
    """-> the mean loss over the conversations of a batch, how many they are, and how many of them were right (a tensor)."""
    queries, routes, of_query, of_route = model.vectors(groups)
    items = [(of_query[tuple(i['query'])], [of_route[tuple(t)] for t in g['routes']], i['label']) for g in groups for i in g['items']]
    scores, other = model.scores(queries[[q for q, *_ in items]], routes)
    # A row's columns: all the routes of the batch, then `other`.
    shown = torch.zeros(len(items), len(routes) + 1, dtype=torch.bool)
    for row, (_, mine, _) in zip(shown, items):
        row[[*mine, -1]] = True
    shown, labels = shown.to(model.device), torch.tensor([[*mine, len(routes)][label] for _, mine, label in items]).to(model.device)
    logits = torch.cat([scores, torch.logsumexp(other, 1, keepdim=True)], 1).masked_fill(~shown, float('-inf'))
    right = (logits.argmax(1) == labels).sum()
    is_route, scale = labels < len(routes), model.head['scale'].exp().detach()
    logits = logits - F.one_hot(labels, logits.shape[1]) * (a.margin * scale * is_route)[:, None]
    log = logits.log_softmax(1)
    smooth = log.masked_fill(~shown, 0).sum(1) / shown.sum(1)
    loss = -((1 - LABEL_SMOOTHING) * log.gather(1, labels[:, None])[:, 0] + LABEL_SMOOTHING * smooth).mean()
    return loss + a.contrast * contrast_of(scores, routes, labels, is_route, a.alike), len(items), right


def contrast_of(scores, routes, labels, is_route, threshold):
    """In-batch negatives: cross-entropy of the right route among the routes of the whole batch. Those alike may be right as well: left out."""
    alike = (routes @ routes.T > threshold)[labels.clamp(max=len(routes) - 1)]
    alike.scatter_(1, labels.clamp(max=len(routes) - 1)[:, None], False)
    each = F.cross_entropy(scores.masked_fill(alike, float('-inf')), labels.masked_fill(~is_route, -100), reduction='sum', ignore_index=-100)
    return each / is_route.sum().clamp(min=1)


def digest(path):
    with open(path, 'rb') as file:
        return hashlib.file_digest(file, 'sha256').hexdigest()


class Run:
    """A router in training, the running mean of its weights, and where in the data it is: all that a checkpoint holds."""

    def __init__(self, a, data):
        # cuDNN's attention makes a plan for every shape, and nearly every batch has another one: two thirds of the time.
        torch.backends.cuda.enable_cudnn_sdp(False)
        self.model = Router(a.base, scale=a.scale, bias=a.bias).to(DEVICE).train()
        self.model.check(data)
        self.mean = copy.deepcopy(self.model).eval()
        for module in self.model.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = a.dropout
        if a.frozen:
            self.model.freeze(a.frozen)
        self.optimizer = torch.optim.AdamW([
            {'params': self.model.encoder.parameters(), 'lr': a.lr, 'weight_decay': 0.01, 'peak': a.lr},
            {'params': self.model.head.parameters(), 'lr': a.lr * 20, 'weight_decay': 0.0, 'peak': a.lr * 20}])
        self.a, self.data, self.step, self.order = a, data, 0, []
        self.steps = math.ceil(a.examples / (a.batch * sum(len(g['items']) for g in data) / len(data)))
        self.course = {k: v for k, v in vars(a).items() if k not in ('out', 'validation', 'checkpoint', 'threads')}
        self.course |= {'base': digest(Path(a.base) / 'model.safetensors'), 'data': digest(a.data)}
        self.path = Path(a.out) / 'checkpoint.pt'

    def restore(self):
        if not self.path.exists():
            return
        state = torch.load(self.path, weights_only=False, map_location=DEVICE)
        if state['course'] != self.course:
            raise SystemExit(f'{self.path} was begun with other arguments, data or base: {state["course"]}')
        self.model.load_state_dict(state['model']), self.mean.load_state_dict(state['mean']), self.optimizer.load_state_dict(state['optimizer'])
        self.step, self.order = state['step'], state['order']
        random.setstate(state['random']), torch.set_rng_state(state['torch random'].cpu())
        if DEVICE == 'cuda':
            torch.cuda.set_rng_state(state['cuda random'].cpu())
        print(f'goes on at step {self.step} of {self.steps}', flush=True)

    def save(self):
        state = {'course': self.course, 'model': self.model.state_dict(), 'mean': self.mean.state_dict(), 'optimizer': self.optimizer.state_dict(),
                 'step': self.step, 'order': self.order, 'random': random.getstate(), 'torch random': torch.get_rng_state(),
                 'cuda random': torch.cuda.get_rng_state() if DEVICE == 'cuda' else None}
        torch.save(state, self.path.with_suffix('.tmp'))
        # First the weights: a finished checkpoint must not stand beside unfinished ones.
        self.mean.save(self.a.out)
        os.replace(self.path.with_suffix('.tmp'), self.path)

    def advance(self):
        """One step -> what loss_of() gives, the loss without its graph. Nothing is read back from a GPU."""
        factor = min(1, (self.step + 1) / WARM_UP) * (0.97 * 0.5 * (1 + math.cos(math.pi * self.step / self.steps)) + 0.03)
        for group in self.optimizer.param_groups:
            group['lr'] = group['peak'] * factor
        if len(self.order) < self.a.batch:
            self.order = random.sample(range(len(self.data)), len(self.data))
        batch = [self.data[i] for i in self.order[-self.a.batch:]]
        del self.order[-self.a.batch:]
        with torch.autocast(DEVICE, dtype=torch.bfloat16):
            loss, count, right = loss_of(self.model, batch, self.a)
        loss.backward(), torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step(), self.optimizer.zero_grad(set_to_none=True)
        self.step += 1
        with torch.no_grad():
            torch._foreach_lerp_(list(self.mean.parameters()), list(self.model.parameters()), 1 - min(AVERAGING, self.step / (self.step + 10)))
        return loss.detach(), count, right


def main():
    a = parse()
    torch.set_num_threads(a.threads), random.seed(a.seed), torch.manual_seed(a.seed)
    Path(a.out).mkdir(parents=True, exist_ok=True)
    run = Run(a, read(a.data))
    run.restore()
    validation = {Path(path).name.removesuffix('.tokens'): read(path) for path in a.validation}
    started = saved = time.time()
    window, seen = [], 0
    while run.step < run.steps:
        window.append(run.advance())
        seen += window[-1][1]
        if run.step % 25 == 0:
            count = sum(n for _, n, _ in window)
            print(f'step {run.step}/{run.steps} loss {sum(loss * n for loss, n, _ in window) / count:.3f} accuracy {sum(r for *_, r in window) / count:.3f} '
                  f'{seen / (time.time() - started):.1f}/s', flush=True)
            window = []
        if time.time() - saved > a.checkpoint * 60 or run.step == run.steps:
            run.save()
            saved = time.time()
            shown = {name: accuracy(run.mean, groups) for name, groups in validation.items()}
            if shown:
                print('validation', ' '.join(f'{n} {v:.3f}' for n, v in shown.items()), f'macro {sum(shown.values()) / len(shown):.4f}', flush=True)


if __name__ == '__main__':
    main()
