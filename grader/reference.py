"""Building blocks of the oracles: plain NumPy in float64, written for clarity, not for speed.

Written independently of the reference solutions: oracle and solution prove each other.
"""

from __future__ import annotations

import numpy as np


def softmax(scores: np.ndarray, axis: int = -1) -> np.ndarray:
    """exp(scores) / sum(exp(scores)) along an axis; a slice that is all -inf gives zeros."""
    scores = np.asarray(scores, dtype=np.float64)
    largest = np.max(scores, axis=axis, keepdims=True)
    powers = np.exp(scores - np.where(np.isneginf(largest), 0.0, largest))
    total = np.sum(powers, axis=axis, keepdims=True)
    return np.divide(powers, total, out=np.zeros_like(powers), where=total > 0)


def sigmoid(x: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-x)), without overflow."""
    return 0.5 * (1 + np.tanh(x / 2))


def masked(scores: np.ndarray, mask: np.ndarray | None) -> np.ndarray:
    """Scores with -inf where the mask (True or 1: may attend) forbids."""
    return scores if mask is None else np.where(np.asarray(mask, bool), scores, -np.inf)


def attend(
    query: np.ndarray,
    key: np.ndarray,
    value: np.ndarray,
    mask: np.ndarray | None = None,
    scale: float = 1.0,
) -> tuple[np.ndarray, np.ndarray]:
    """softmax(scale * query key^T, masked) value: (..., Tq, Dv) and weights (..., Tq, Tk).

    Vaswani et al. 2017, Attention Is All You Need, section 3.2.1, for scale = 1 / sqrt(D).
    """
    scores = scale * np.einsum("...qd,...kd->...qk", query, key)
    weights = softmax(masked(scores, mask))
    return np.einsum("...qk,...kv->...qv", weights, value), weights
