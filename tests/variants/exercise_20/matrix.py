"""All extensions of a round as one matrix, flattened; scores kept as arrays."""

import numpy as np


def greedy_decode(step, state, bos, eos, max_length):
    tokens = [bos]
    while len(tokens) <= max_length:
        log_probs, state = step(tokens[-1], state)
        candidates = np.flatnonzero(log_probs == log_probs.max())
        tokens.append(int(candidates[0]))
        if tokens[-1] == eos:
            return tokens[1:-1]
    return tokens[1:]


def beam_search(step, state, bos, eos, beam_width, max_length, length_penalty=0.0):
    written, totals, states, done = [[]], np.zeros(1), [state], [False]
    for _ in range(max_length):
        rows, news = [], []
        for tokens, finished, old in zip(written, done, states, strict=True):
            if finished:
                rows.append(None)
                news.append(old)
                continue
            row, new = step(tokens[-1] if tokens else bos, old)
            rows.append(row)
            news.append(new)
        size = next((len(row) for row in rows if row is not None), 0)
        if size == 0:
            break
        table = np.full((len(rows), size), -np.inf)
        sums = np.full((len(rows), size), -np.inf)
        for i, row in enumerate(rows):
            count = len(written[i]) + (0 if row is None else 1)
            sums[i, : 1 if row is None else size] = totals[i] if row is None else totals[i] + row
            table[i] = sums[i] / count**length_penalty
        order = np.argsort(-table.ravel(), kind="stable")
        order = [k for k in order if rows[k // size] is not None or k % size == 0][:beam_width]
        picked = [(k // size, k % size) for k in order]
        totals = np.array([sums[i, t] for i, t in picked])
        done = [rows[i] is None or t == eos for i, t in picked]
        states = [news[i] for i, _ in picked]
        written = [written[i] if rows[i] is None else [*written[i], int(t)] for i, t in picked]
    value = totals[0] / len(written[0]) ** length_penalty
    return [t for t in written[0] if t != eos], float(value)
