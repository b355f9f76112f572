"""Hypotheses as tuples in a heap; NumPy integers in the result; stops when all are finished."""

import heapq

import numpy as np


def greedy_decode(step, state, bos, eos, max_length):
    return beam_search(step, state, bos, eos, 1, max_length)[0]


def beam_search(step, state, bos, eos, beam_width, max_length, length_penalty=0.0):
    beam = [(0.0, (), 0.0, False, state)]
    for length in range(1, max_length + 1):
        heap = [entry for entry in beam if entry[3]]
        for _, tokens, total, finished, memory in beam:
            if finished:
                continue
            log_probs, new = step(tokens[-1] if tokens else bos, memory)
            for token in range(len(log_probs)):
                if log_probs[token] > -np.inf:
                    summed = total + log_probs[token]
                    rank = -summed / length**length_penalty
                    heap.append((rank, (*tokens, np.int64(token)), summed, token == eos, new))
        beam = heapq.nsmallest(beam_width, heap, key=lambda entry: entry[:2])
        if all(entry[3] for entry in beam):
            break
    rank, tokens, _, finished, _ = beam[0]
    return list(tokens[:-1] if finished else tokens), -rank
