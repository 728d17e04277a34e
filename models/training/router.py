"""The encoder router: a text encoder, a head that knows `other`, and the scores that the command-line tool reproduces."""
import json
import math
from pathlib import Path

import torch
import torch.nn.functional as F
from transformers import AutoModel



def frame_of(config):
    """-> the tokens before and behind every text: [CLS] and [SEP] of BERT's own vocabulary, unless the configuration names others."""
    return (101, 102) if config.bos_token_id is None else (config.bos_token_id, config.eos_token_id)


class Router(torch.nn.Module):
    """Bi-encoder: logit of a route = scale * cos(query, route); logit of `other` = logsumexp(bias, scale * cos(query, o_k) + offset_k)
    over K learned directions o_k. Texts come as token ids (tokens.mjs), so that there is no second way to make them."""

    def __init__(self, folder, directions=16, scale=20.0, bias=4.0):
        super().__init__()
        self.encoder = AutoModel.from_pretrained(folder, attn_implementation='sdpa')
        for module in self.encoder.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = 0.0
        config = self.encoder.config
        width = config.hidden_size
        self.frame = frame_of(config)
        self.head = torch.nn.ParameterDict({
            'directions': torch.nn.Parameter(torch.randn(directions, width) * 0.05), 'offsets': torch.nn.Parameter(torch.full((directions,), bias - 6.0)),
            'scale': torch.nn.Parameter(torch.tensor(math.log(scale))), 'bias': torch.nn.Parameter(torch.tensor(float(bias)))})
        stored = Path(folder) / 'head.pt'
        if stored.exists():
            self.head.load_state_dict(torch.load(stored))

    @property
    def device(self):
        return self.head['bias'].device

    def embed(self, texts, most_tokens=700):
        """Token ids of texts -> unit vectors (n, width), by mean pooling. Runs of texts of like length, so that little is padding."""
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
        rows, start = [None] * len(texts), 0
        while start < len(order):
            end = start + 1
            while end < len(order) and (end + 1 - start) * (len(texts[order[end]]) + 2) <= most_tokens:
                end += 1
            part, longest = order[start:end], len(texts[order[end - 1]]) + 2
            framed = [[self.frame[0], *texts[i], self.frame[1]] for i in part]
            ids = torch.tensor([t + [0] * (longest - len(t)) for t in framed], device=self.device)
            mask = torch.tensor([[1] * len(t) + [0] * (longest - len(t)) for t in framed], device=self.device)
            hidden = self.encoder(input_ids=ids, attention_mask=mask).last_hidden_state.float()
            weight = mask[..., None].float()
            for i, row in zip(part, F.normalize((hidden * weight).sum(1) / weight.sum(1), dim=-1)):
                rows[i] = row
            start = end
        return torch.stack(rows)

    def vectors(self, groups):
        """Groups -> {token ids of a query or a route, as a tuple: its vector}."""
        routes = {tuple(t): None for g in groups for t in g['routes']}
        queries = {tuple(i['query']): None for g in groups for i in g['items']}
        texts = list({**routes, **queries})
        return dict(zip(texts, self.embed(texts)))

    def parts(self, groups, vectors=None):
        """Groups -> for each the logits of its routes (conversations, routes) and what `other` is summed of (conversations, K + 1)."""
        at = vectors or self.vectors(groups)
        # Logits in bfloat16 would be rounded to eighths.
        with torch.autocast(self.device.type, enabled=False):
            scale, directions = self.head['scale'].exp(), F.normalize(self.head['directions'], dim=-1)
            out = []
            for g in groups:
                q = torch.stack([at[tuple(i['query'])] for i in g['items']])
                r = torch.stack([at[tuple(t)] for t in g['routes']])
                near = scale * q @ directions.T + self.head['offsets']
                out.append((scale * q @ r.T, torch.cat([near, self.head['bias'].expand(len(q), 1)], 1)))
        return out

    def logits(self, groups, vectors=None):
        """Groups -> a matrix (conversations, routes + 1) each: the routes in their order, then `other`."""
        return [at_temperature(routes, other, 1.0) for routes, other in self.parts(groups, vectors)]

    def divide(self, temperature):
        """Builds a temperature into the head."""
        with torch.no_grad():
            self.head['scale'] -= math.log(temperature)
            self.head['offsets'] /= temperature
            self.head['bias'] /= temperature

    def check(self, groups):
        """Refuses tokens that another base's tokenizer made, as far as it shows."""
        highest = max(max(t, default=0) for g in groups for t in (*g['routes'], *(i['query'] for i in g['items'])))
        if highest >= self.encoder.config.vocab_size:
            raise SystemExit(f'token {highest}, but the base has only {self.encoder.config.vocab_size}: tokens of another base?')

    def freeze(self, layers):
        """Leaves the embeddings of words and the first layers as they are."""
        for part in [self.encoder.embeddings, *self.encoder.encoder.layer[:layers]]:
            part.requires_grad_(False)

    def save(self, folder):
        self.encoder.save_pretrained(folder)
        torch.save({k: v.detach().cpu().clone() for k, v in self.head.items()}, Path(folder) / 'head.pt')


def at_temperature(routes, other, temperature):
    """What parts() gives -> logits as of a head that is divided by the temperature."""
    return torch.cat([routes / temperature, torch.logsumexp(other / temperature, 1, keepdim=True)], 1)


def read(path):
    """A file of tokens.mjs -> its groups."""
    with open(path, encoding='utf-8') as lines:
        return [json.loads(line) for line in lines]
