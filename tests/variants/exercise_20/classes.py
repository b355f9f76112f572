"""A class for hypotheses that keeps every log probability; the best is found by max."""

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass
class Hypothesis:
    tokens: list
    log_probs: list
    state: Any
    finished: bool = False

    def score(self, length_penalty):
        return sum(self.log_probs) / len(self.log_probs) ** length_penalty


def greedy_decode(step, state, bos, eos, max_length):
    tokens, last = [], bos
    for _ in range(max_length):
        log_probs, state = step(last, state)
        last = max(range(len(log_probs)), key=lambda token: log_probs[token])
        if last == eos:
            return tokens
        tokens.append(last)
    return tokens


def beam_search(step, state, bos, eos, beam_width, max_length, length_penalty=0.0):
    beam = [Hypothesis([], [], state)]
    rounds = 0
    while rounds < max_length and not all(h.finished for h in beam):
        rounds += 1
        pool = []
        for h in beam:
            if h.finished:
                pool.append(h)
                continue
            last = h.tokens[-1] if h.tokens else bos
            log_probs, state = step(np.int64(last), h.state)
            for token, value in enumerate(log_probs.tolist()):
                ends = token == eos
                tokens = list(h.tokens) if ends else [*h.tokens, token]
                pool.append(Hypothesis(tokens, [*h.log_probs, value], state, ends))
        pool.sort(key=lambda h: -h.score(length_penalty))
        beam = pool[:beam_width]
    winner = max(beam, key=lambda h: h.score(length_penalty))
    return winner.tokens, winner.score(length_penalty)
