"""Exercise 20: greedy decoding and beam search.

A decoder writes one token at a time. `step(token, state)` reads a token and returns (log_probs, state): the
log probabilities of the next token, an array (V,), and the decoder's new state. A state is whatever the
decoder needs to go on (None, a number, an array, a dict, ...): take it as it comes, and give it to the
call that goes on from there. The first call is step(bos, state). A hypothesis, the tokens written so far,
is finished when eos is written; step is called at most max_length times along a hypothesis, so one that has
no eos by then stays unfinished.

Greedy decoding writes the most probable token each time, the lowest id where several are equal.

Beam search keeps the beam_width hypotheses with the largest scores, where

    score = (log_prob_1 + ... + log_prob_n) / n ** length_penalty

over the n tokens written, eos and its log probability included. In each round every unfinished hypothesis
in the beam is extended by every token. A finished one keeps its place: it stays as it is and competes with
the others. After max_length rounds the largest score wins, finished or not. Where scores are equal the
lower token id goes first. A beam of width 1 finds what greedy decoding finds; a beam may be wider than V. A
token with the log probability -inf is impossible.

(Sutskever, Vinyals and Le 2014, Sequence to Sequence Learning with Neural Networks, section 3.2.)

greedy_decode returns a list of ints, beam_search returns (tokens, score), tokens being such a list; neither
list holds bos or eos.

Check your work with:  python -m grader exercise_20
"""

import numpy as np


def greedy_decode(step, state, bos, eos, max_length):
    """Return the tokens that are the most probable ones, each at its time."""
    ### BEGIN SOLUTION
    written, current = [], bos
    for _ in range(max_length):
        log_probs, state = step(current, state)  # (V,)
        current = int(np.argmax(log_probs))  # the first of equals
        if current == eos:
            break
        written.append(current)
    return written
    ### END SOLUTION


def beam_search(step, state, bos, eos, beam_width, max_length, length_penalty=0.0):
    """Return (tokens, score) of the best hypothesis in the beam."""

    ### BEGIN SOLUTION
    def score(hypothesis):
        tokens, total, _ = hypothesis
        return total / len(tokens) ** length_penalty

    beam = [([], 0.0, state)]  # tokens (eos too), the sum of their log probabilities, the state after them
    for _ in range(max_length):
        candidates = []
        for tokens, total, before in beam:
            if tokens and tokens[-1] == eos:
                candidates.append((tokens, total, before))
                continue
            log_probs, after = step(tokens[-1] if tokens else bos, before)  # (V,)
            likely = np.argsort(-log_probs, kind="stable")[:beam_width]  # no more of them can stay
            for token in likely:
                candidates.append(([*tokens, int(token)], total + float(log_probs[token]), after))
        # sorted leaves equals in their order, also with reverse=True.
        beam = sorted(candidates, key=score, reverse=True)[:beam_width]
    best = beam[0]
    tokens = best[0][:-1] if best[0][-1] == eos else best[0]
    return tokens, score(best)
    ### END SOLUTION
