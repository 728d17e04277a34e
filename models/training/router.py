"""The encoder router: a text encoder, a head that knows `other`, and the scores that the command-line tool reproduces."""
import json
import math
from pathlib import Path

import torch
import torch.nn.functional as F
from transformers import AutoModel

DEVICE = 'cuda' if torch.cuda.is_available() else 'cpu'
# Of the head before training; scale and bias suit cosines that begin at 0.6, as bge's do.
DIRECTIONS, SCALE, BIAS = 16, 40.0, 28.0
# The calibration that changes nothing.
AS_IS = (1.0, 0.0)
# In a forward pass, with what is padding.
MOST_TOKENS = {'cpu': 700, 'cuda': 16_384}


def frame_of(config):
    """-> the tokens before and behind every text: [CLS] and [SEP] of BERT's own vocabulary, unless the configuration names others."""
    return (101, 102) if config.bos_token_id is None else (config.bos_token_id, config.eos_token_id)


class Router(torch.nn.Module):
    """Bi-encoder: logit of a route = scale * cos(query, route); logit of `other` = logsumexp(bias, scale * cos(query, o_k) + offset_k)
    over K learned directions o_k. Texts come as token ids (tokens.mjs), so that there is no second way to make them."""

    def __init__(self, folder, scale=SCALE, bias=BIAS):
        super().__init__()
        self.encoder = AutoModel.from_pretrained(folder, attn_implementation='sdpa', dtype=torch.float32)
        config = self.encoder.config
        width = config.hidden_size
        self.frame = frame_of(config)
        self.head = torch.nn.ParameterDict({
            'directions': torch.nn.Parameter(torch.randn(DIRECTIONS, width) * 0.05), 'offsets': torch.nn.Parameter(torch.full((DIRECTIONS,), bias - 6.0)),
            'scale': torch.nn.Parameter(torch.tensor(math.log(scale))), 'bias': torch.nn.Parameter(torch.tensor(float(bias)))})
        stored = Path(folder) / 'head.pt'
        if stored.exists():
            self.head.load_state_dict(torch.load(stored))

    @property
    def device(self):
        return self.head['bias'].device

    def embed(self, texts):
        """Token ids of texts -> unit vectors (n, width), by mean pooling. Runs of texts of like length, so that little is padding."""
        most_tokens = MOST_TOKENS[self.device.type]
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
        rows, start = [], 0
        while start < len(order):
            end = start + 1
            while end < len(order) and (end + 1 - start) * (len(texts[order[end]]) + 2) <= most_tokens:
                end += 1
            part, longest = [texts[i] for i in order[start:end]], len(texts[order[end - 1]]) + 2
            ids = torch.tensor([[self.frame[0], *t, self.frame[1], *[0] * (longest - len(t) - 2)] for t in part]).to(self.device, non_blocking=True)
            lengths = torch.tensor([len(t) + 2 for t in part]).to(self.device, non_blocking=True)[:, None]
            mask = torch.arange(longest, device=self.device) < lengths
            hidden = self.encoder(input_ids=ids, attention_mask=mask.long()).last_hidden_state.float()
            rows.append(F.normalize((hidden * mask[..., None]).sum(1) / lengths, dim=-1))
            start = end
        return torch.cat(rows)[torch.tensor(order).argsort().to(self.device)]

    def vectors(self, groups):
        """Groups -> the vectors of their queries, those of their routes (each text once), and {token ids, as a tuple: row} of both."""
        queries, routes = (list(dict.fromkeys(texts)) for texts in (
            (tuple(i['query']) for g in groups for i in g['items']), (tuple(t) for g in groups for t in g['routes'])))
        rows = self.embed([*queries, *routes])
        return rows[:len(queries)], rows[len(queries):], {t: i for i, t in enumerate(queries)}, {t: i for i, t in enumerate(routes)}

    def scores(self, queries, routes):
        """Vectors -> the logits of the routes (queries, routes) and what `other` is summed of (queries, K + 1)."""
        # Logits in bfloat16 would be rounded to eighths.
        with torch.autocast(self.device.type, enabled=False):
            scale, directions = self.head['scale'].exp(), F.normalize(self.head['directions'], dim=-1)
            other = scale * queries @ directions.T + self.head['offsets']
            return scale * queries @ routes.T, torch.cat([other, self.head['bias'].expand(len(queries), 1)], 1)

    def parts(self, groups):
        """Groups -> for each what scores() gives of its conversations and routes."""
        queries, routes, of_query, of_route = self.vectors(groups)
        return [self.scores(queries[[of_query[tuple(i['query'])] for i in g['items']]], routes[[of_route[tuple(t)] for t in g['routes']]]) for g in groups]

    def calibrate(self, calibration):
        """Builds a calibration into the head."""
        temperature, shift = calibration
        with torch.no_grad():
            self.head['scale'] -= math.log(temperature)
            for name in ('offsets', 'bias'):
                self.head[name] += shift
                self.head[name] /= temperature

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


def calibrated(routes, other, calibration):
    """What scores() gives -> logits (queries, routes + 1): the routes in their order, then `other`. calibration: the temperature that divides all, and
    what is added to `other` before."""
    temperature, shift = calibration
    return torch.cat([routes / temperature, torch.logsumexp((other + shift) / temperature, 1, keepdim=True)], 1)


def read(path):
    """A file of tokens.mjs -> its groups."""
    with open(path, encoding='utf-8') as lines:
        return [json.loads(line) for line in lines]
