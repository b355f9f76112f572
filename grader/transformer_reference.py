"""The Transformer in float64 from a Keras layer's own weights, for the oracles of exercises 25 to 29.

A sublayer's weights are read by attribute path, as in "self_attention.query_dense.kernel". Where a layer is
part of a model, `model.below("encoder_layers.0")` is what these functions take. Dropout is left out: it
acts in training only. The keywords behind the star replace a step, so that suites can compute mistakes.

Vaswani et al. 2017, Attention Is All You Need, sections 3.1 to 3.3.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from grader import reference
from grader.submission import LayerState

# A sublayer as a function of the states that enter it, and what connects it with them.
Sublayer = Callable[[np.ndarray], np.ndarray]
Wrap = Callable[[LayerState, str, Sublayer, np.ndarray], np.ndarray]


def _paths(owner: str, *kinds: str) -> list[str]:
    return [f"{owner}.{kind}" for kind in kinds]


def attention_paths(name: str) -> list[str]:
    """The weights of a keras.layers.MultiHeadAttention."""
    dense = ("query_dense", "key_dense", "value_dense", "output_dense")
    return [path for part in dense for path in _paths(f"{name}.{part}", "kernel", "bias")]


FEED_FORWARD_PATHS = [*_paths("ffn_inner", "kernel", "bias"), *_paths("ffn_outer", "kernel", "bias")]
ENCODER_PATHS = [
    *attention_paths("self_attention"),
    *_paths("attention_norm", "gamma", "beta"),
    *FEED_FORWARD_PATHS,
    *_paths("ffn_norm", "gamma", "beta"),
]
DECODER_PATHS = [
    *attention_paths("self_attention"),
    *_paths("self_attention_norm", "gamma", "beta"),
    *attention_paths("cross_attention"),
    *_paths("cross_attention_norm", "gamma", "beta"),
    *FEED_FORWARD_PATHS,
    *_paths("ffn_norm", "gamma", "beta"),
]


def shapes(paths: list[str], d_model: int, num_heads: int, d_ff: int) -> dict[str, tuple[int, ...]]:
    """The shapes of an encoder's or decoder's weights, by path."""
    heads, inner = (num_heads, d_model // num_heads), d_ff
    projection = {"kernel": (d_model, *heads), "bias": heads}
    known = {
        **dict.fromkeys(("query_dense", "key_dense", "value_dense"), projection),
        "output_dense": {"kernel": (*heads, d_model), "bias": (d_model,)},
        "ffn_inner": {"kernel": (d_model, inner), "bias": (inner,)},
        "ffn_outer": {"kernel": (inner, d_model), "bias": (d_model,)},
    }
    found = {}
    for path in paths:
        owner, kind = path.split(".")[-2:]
        found[path] = known.get(owner, {}).get(kind, (d_model,))
    return found


def relu(x: np.ndarray) -> np.ndarray:
    """max(x, 0)."""
    return np.maximum(x, 0.0)


def dense(layer: LayerState, name: str, x: np.ndarray) -> np.ndarray:
    """Return x kernel + bias, without activation."""
    return np.einsum("...i,io->...o", x, layer[f"{name}.kernel"]) + layer[f"{name}.bias"]


def layer_norm(layer: LayerState, name: str, x: np.ndarray, epsilon: float = 1e-6) -> np.ndarray:
    """Return gamma (x - mean) / sqrt(variance + epsilon) + beta over the last axis."""
    centred = x - np.mean(x, axis=-1, keepdims=True)
    spread = np.sqrt(np.mean(centred**2, axis=-1, keepdims=True) + epsilon)
    return layer[f"{name}.gamma"] * centred / spread + layer[f"{name}.beta"]


def attention(
    layer: LayerState,
    name: str,
    query: np.ndarray,
    value: np.ndarray,
    key: np.ndarray | None = None,
    mask: np.ndarray | None = None,
) -> np.ndarray:
    """Multi-head attention with Keras's kernels: (B, Tq, D) for query (B, Tq, D) and value (B, Tk, D).

    The mask, True or 1: may attend, is (Tq, Tk), (B, Tq, Tk) or (B, H, Tq, Tk). A query that may attend to
    nothing attends to everything equally, as in Keras.
    """

    def heads(part: str, x: np.ndarray) -> np.ndarray:
        kernel, bias = layer[f"{name}.{part}.kernel"], layer[f"{name}.{part}.bias"]
        return np.einsum("btd,dhk->bhtk", x, kernel) + bias[:, None]

    queries = heads("query_dense", query)
    keys = heads("key_dense", value if key is None else key)
    scores = np.einsum("bhqk,bhsk->bhqs", queries, keys) / np.sqrt(queries.shape[-1])
    if mask is not None:
        allowed = np.asarray(mask, bool)
        scores = np.where(allowed[:, None] if allowed.ndim == 3 else allowed, scores, -1e9)
    context = np.einsum("bhqs,bhsk->bhqk", reference.softmax(scores), heads("value_dense", value))
    output = np.einsum("bhqk,hkd->bqd", context, layer[f"{name}.output_dense.kernel"])
    return output + layer[f"{name}.output_dense.bias"]


def feed_forward(
    layer: LayerState,
    x: np.ndarray,
    *,
    activation: Callable[[np.ndarray], np.ndarray] = relu,
    ending: Callable[[np.ndarray], np.ndarray] = lambda x: x,
) -> np.ndarray:
    """ffn_outer(relu(ffn_inner(x)))."""
    return ending(dense(layer, "ffn_outer", activation(dense(layer, "ffn_inner", x))))


def post_norm(layer: LayerState, name: str, sublayer: Sublayer, x: np.ndarray) -> np.ndarray:
    """LayerNorm(x + sublayer(x)), as in the paper."""
    return layer_norm(layer, name, x + sublayer(x))


def pre_norm(layer: LayerState, name: str, sublayer: Sublayer, x: np.ndarray) -> np.ndarray:
    """Return x + sublayer(LayerNorm(x)), as in the Vision Transformer."""
    return x + sublayer(layer_norm(layer, name, x))


def encoder_layer(
    layer: LayerState,
    x: np.ndarray,
    attention_mask: np.ndarray | None = None,
    training: bool | None = None,
    *,
    wrap: Wrap = post_norm,
    attend: Callable[..., np.ndarray] = attention,
    feed: Callable[..., np.ndarray] = feed_forward,
) -> np.ndarray:
    """Exercise 25's layer: attention and feed-forward network, each within `wrap`."""

    def attending(states: np.ndarray) -> np.ndarray:
        return attend(layer, "self_attention", states, states, mask=attention_mask)

    x = wrap(layer, "attention_norm", attending, x)
    return wrap(layer, "ffn_norm", lambda states: feed(layer, states), x)


def causal_mask(length: int) -> np.ndarray:
    """Row i allows positions 0 to i: (T, T)."""
    return np.tri(length, dtype=bool)


def decoder_layer(
    layer: LayerState,
    x: np.ndarray,
    memory: np.ndarray,
    memory_mask: np.ndarray | None = None,
    training: bool | None = None,
    *,
    wrap: Wrap = post_norm,
    attend: Callable[..., np.ndarray] = attention,
    feed: Callable[..., np.ndarray] = feed_forward,
) -> np.ndarray:
    """Exercise 26's layer: causal attention, attention over the memory and feed-forward network."""
    padding = None if memory_mask is None else np.asarray(memory_mask, bool)[:, None, :]

    def attending(states: np.ndarray) -> np.ndarray:
        return attend(layer, "self_attention", states, states, mask=causal_mask(states.shape[1]))

    def crossing(states: np.ndarray) -> np.ndarray:
        return attend(layer, "cross_attention", states, memory, mask=padding)

    x = wrap(layer, "self_attention_norm", attending, x)
    x = wrap(layer, "cross_attention_norm", crossing, x)
    return wrap(layer, "ffn_norm", lambda states: feed(layer, states), x)
