"""Multi-head attention as a Keras layer."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from grader import reference
from grader.exercise import Exercise
from grader.submission import LayerState, Submission

NAME = "MultiHeadAttention"
DENSE = ("query_dense", "key_dense", "value_dense", "output_dense")

exercise = Exercise(
    number=23,
    title="Multi-head attention as a Keras layer",
    kind="keras",
    part="Keras layers and Transformers",
    implements=[NAME],
    outputs={NAME: ("output", "attention scores")},
    weights={NAME: [f"{dense}.{kind}" for dense in DENSE for kind in ("kernel", "bias")]},
    lesson="04_multi_head_attention#multi-head-attention",
    minutes=40,
    difficulty=3,
    seconds=20.0,
    forbidden=[
        "keras.layers.MultiHeadAttention",
        "keras.layers.GroupQueryAttention",
        "keras.layers.GroupedQueryAttention",
        "keras.layers.Attention",
        "keras.layers.AdditiveAttention",
        "keras.layers.attention*",
        "keras.ops.dot_product_attention",
        "keras.ops.nn.dot_product_attention",
        "tensorflow*",
        "torch*",
        "jax*",
    ],
    hints=[
        "Make the four Dense layers and the Dropout in __init__. In call, follow the shapes: "
        "(B, T, d_model) must become (B, H, T, d_model / H) before any matrix product.",
        "Splitting is a reshape to (B, T, H, d_model / H) and then a transpose of axes 1 and 2; a "
        "reshape alone mixes positions. Merging is the same backwards. Bring every mask to a form "
        "that broadcasts against (B, H, Tq, Tk): a mask of rank 3 needs a head axis at position 1.",
        "scores = split(query_dense(query)) @ transposed split(key_dense(key)) * "
        "(d_model // num_heads) ** -0.5; -1e9 where masked; softmax over the last axis; weights 0 "
        "where masked; Dropout(weights, training=training); times the split values; transpose, "
        "reshape to (B, Tq, d_model), output_dense.",
    ],
)


def split(x: np.ndarray, num_heads: int) -> np.ndarray:
    """(B, T, D) to (B, H, T, D / H)."""
    return x.reshape(*x.shape[:2], num_heads, -1).swapaxes(1, 2)


def merge(x: np.ndarray) -> np.ndarray:
    """(B, H, T, D / H) to (B, T, D)."""
    return x.swapaxes(1, 2).reshape(x.shape[0], x.shape[2], -1)


def combined_mask(mask: np.ndarray | None, causal: bool, lengths: tuple[int, int]) -> np.ndarray:
    """Both masks as one that broadcasts against (B, H, Tq, Tk)."""
    allowed = np.tri(*lengths, dtype=bool) if causal else np.ones(lengths, bool)
    if mask is None:
        return allowed
    mask = np.asarray(mask, bool)
    return allowed & (mask[:, None] if mask.ndim == 3 else mask)


def zero_where(weights: np.ndarray, allowed: np.ndarray) -> np.ndarray:
    """Weights of rows without an allowed key are zero."""
    return np.where(np.any(allowed, axis=-1, keepdims=True), weights, 0.0)


def multi_head(
    layer: LayerState,
    query: np.ndarray,
    value: np.ndarray,
    key: np.ndarray | None = None,
    attention_mask: np.ndarray | None = None,
    return_attention_scores: bool = False,
    use_causal_mask: bool = False,
    training: bool | None = None,
    *,
    scale: Callable[[int, int, int], float] = lambda head_width, d_model, keys: head_width**-0.5,
    splitting: Callable[[np.ndarray, int], np.ndarray] = split,
    merging: Callable[[np.ndarray], np.ndarray] = merge,
    masking: Callable[..., np.ndarray] = combined_mask,
    weighing: Callable[..., np.ndarray] = lambda scores, allowed: reference.softmax(
        reference.masked(scores, allowed)
    ),
    reporting: Callable[..., np.ndarray] = lambda weights, scores: weights,
    sources: Callable[..., tuple[np.ndarray, ...]] = lambda query, key, value: (query, key, value),
    projections: Mapping[str, str] | None = None,
    num_heads: int = 0,
) -> Any:
    """The right answer; each keyword replaces one step by a mistaken one."""

    def project(name: str, x: np.ndarray) -> np.ndarray:
        if layer[f"{name}.bias"].shape != (layer.config["d_model"],):
            raise ValueError(f"{name} must have d_model features")
        name = (projections or {}).get(name, name)
        return x if name == "none" else x @ layer[f"{name}.kernel"] + layer[f"{name}.bias"]

    num_heads = num_heads or layer.config["num_heads"]
    query, key, value = sources(query, value if key is None else key, value)
    queries = splitting(project("query_dense", query), num_heads)
    keys = splitting(project("key_dense", key), num_heads)
    values = splitting(project("value_dense", value), num_heads)
    scores = queries @ keys.swapaxes(-1, -2)
    scores = scores * scale(queries.shape[-1], layer.config["d_model"], keys.shape[-2])
    allowed = masking(attention_mask, use_causal_mask, scores.shape[-2:])
    weights = weighing(scores, np.broadcast_to(allowed, scores.shape))
    output = project("output_dense", merging(weights @ values))
    return (output, reporting(weights, scores)) if return_attention_scores else output


exercise.oracle(NAME)(multi_head)


def mistake(
    id: str, explanation: str, wrong: Mapping[str, str], on: Sequence[str] = (), **steps: Any
) -> None:
    """Register a misconception that is the oracle with some steps replaced."""

    def function(layer: LayerState, *args: Any, **kwargs: Any) -> Any:
        return multi_head(layer, *args, **kwargs, **steps)

    exercise.misconception(id, explanation, wrong=wrong, on=on)(function)


SCALE = "queries = queries * (self.d_model // self.num_heads) ** -0.5"
SPLIT = (
    "x = ops.reshape(x, (-1, x.shape[1], self.num_heads, self.d_model // self.num_heads))\n"
    "        return ops.transpose(x, (0, 2, 1, 3))"
)
SOFTMAX = "weights = ops.softmax(scores, axis=-1)"
MASKING = "scores = ops.where(mask, scores, -1e9)"
ZEROS = "weights = ops.where(mask, weights, 0.0)"
CAUSAL = "mask = causal if mask is None else ops.logical_and(mask, causal)"

mistake(
    "no-scaling",
    "The scores are not divided by the square root of the head width.",
    {SCALE: ""},
    scale=lambda head_width, d_model, keys: 1.0,
)
mistake(
    "scaled-by-d-model",
    "The scores are divided by sqrt(d_model); each head is only d_model / num_heads wide.",
    {SCALE: "queries = queries * self.d_model**-0.5"},
    scale=lambda head_width, d_model, keys: d_model**-0.5,
)
mistake(
    "scaled-by-length",
    "The scores are divided by the square root of the number of keys instead of the head width.",
    {SCALE: "queries = queries * keys.shape[2] ** -0.5"},
    scale=lambda head_width, d_model, keys: keys**-0.5,
)
mistake(
    "scaled-without-root",
    "The scores are divided by the head width; its square root is asked for.",
    {SCALE: "queries = queries / (self.d_model // self.num_heads)"},
    scale=lambda head_width, d_model, keys: 1 / head_width,
)
mistake(
    "split-by-reshape-alone",
    "The heads are split by a reshape alone, which mixes positions: reshape to (B, T, H, D/H), then "
    "swap axes 1 and 2.",
    {SPLIT: "return ops.reshape(x, (-1, self.num_heads, x.shape[1], self.d_model // self.num_heads))"},
    splitting=lambda x, heads: x.reshape(x.shape[0], heads, x.shape[1], -1),
)
mistake(
    "merged-without-transpose",
    "The heads are merged without swapping axes 1 and 2 back first, which mixes positions.",
    {"context = ops.transpose(context, (0, 2, 1, 3))  # (B, Tq, H, D/H)": ""},
    merging=lambda x: x.reshape(x.shape[0], x.shape[2], -1),
)
mistake(
    "heads-interleaved",
    "The features are dealt to the heads in turn; head h holds the consecutive features from "
    "h * d_model / num_heads.",
    {
        SPLIT: "x = ops.reshape(x, (-1, x.shape[1], self.d_model // self.num_heads, self.num_heads))\n"
        "        return ops.transpose(x, (0, 3, 1, 2))"
    },
    splitting=lambda x, heads: x.reshape(*x.shape[:2], -1, heads).transpose(0, 3, 1, 2),
)
mistake(
    "one-head",
    "num_heads has no effect: this is attention with a single head.",
    {"self.num_heads = num_heads": "self.num_heads = 1"},
    num_heads=1,
)
mistake(
    "softmax-over-queries",
    "The softmax runs over the queries (axis -2); the keys are the last axis.",
    {SOFTMAX: "weights = ops.softmax(scores, axis=-2)"},
    weighing=lambda scores, allowed: np.where(
        allowed, reference.softmax(np.where(allowed, scores, -1e9), axis=-2), 0.0
    ),
)
mistake(
    "softmax-over-heads",
    "The softmax runs over the heads (axis 1); the keys are the last axis.",
    {SOFTMAX: "weights = ops.softmax(scores, axis=1)"},
    weighing=lambda scores, allowed: np.where(
        allowed, reference.softmax(np.where(allowed, scores, -1e9), axis=1), 0.0
    ),
)
mistake(
    "softmax-over-batch",
    "The softmax runs over the batch (axis 0), so examples influence each other.",
    {SOFTMAX: "weights = ops.softmax(scores, axis=0)"},
    weighing=lambda scores, allowed: np.where(
        allowed, reference.softmax(np.where(allowed, scores, -1e9), axis=0), 0.0
    ),
)
mistake(
    "mask-inverted",
    "The attention mask is read the other way round: True (1) means may attend.",
    {'mask = ops.cast(attention_mask, "bool")': 'mask = ~ops.cast(attention_mask, "bool")'},
    masking=lambda mask, causal, lengths: combined_mask(
        None if mask is None else ~np.asarray(mask, bool), causal, lengths
    ),
)
mistake(
    "mask-ignored",
    "attention_mask has no effect.",
    {"if attention_mask is not None:": "if False:"},
    masking=lambda mask, causal, lengths: combined_mask(None, causal, lengths),
)
mistake(
    "mask-after-softmax",
    "The mask is applied to the weights after the softmax only, so the rows no longer sum to 1.",
    {MASKING: "pass"},
    weighing=lambda scores, allowed: np.where(allowed, reference.softmax(scores), 0.0),
)
mistake(
    "mask-added",
    "The raw mask is added to the scores: forbidden keys lose 1, not everything.",
    {MASKING: 'scores = scores + ops.cast(mask, "float32")', ZEROS: "pass"},
    weighing=lambda scores, allowed: reference.softmax(scores if np.all(allowed) else scores + allowed),
)
mistake(
    "fully-masked-uniform",
    "A query that may attend to nothing gets equal weights; they must be zero.",
    {ZEROS: "pass"},
    weighing=lambda scores, allowed: reference.softmax(np.where(allowed, scores, -1e9)),
)
mistake(
    "fully-masked-nan",
    "A query that may attend to nothing gives NaN (softmax over -inf alone); use zero weights.",
    {MASKING: 'scores = ops.where(mask, scores, -float("inf"))', ZEROS: "pass"},
    weighing=lambda scores, allowed: np.where(
        np.any(allowed, axis=-1, keepdims=True),
        reference.softmax(reference.masked(scores, allowed)),
        np.nan,
    ),
)
mistake(
    "causal-ignored",
    "use_causal_mask has no effect.",
    {"if use_causal_mask:": "if False:"},
    masking=lambda mask, causal, lengths: combined_mask(mask, False, lengths),
)
mistake(
    "causal-or-mask-not-both",
    "With an attention_mask the causal mask is dropped; a key must be allowed by both.",
    {"if use_causal_mask:": "if use_causal_mask and mask is None:"},
    masking=lambda mask, causal, lengths: combined_mask(mask, causal and mask is None, lengths),
)
mistake(
    "causal-replaces-mask",
    "With use_causal_mask the attention_mask is dropped; a key must be allowed by both.",
    {CAUSAL: "mask = causal"},
    masking=lambda mask, causal, lengths: combined_mask(None if causal else mask, causal, lengths),
)
mistake(
    "masks-combined-by-or",
    "A key allowed by either mask gets weight; it must be allowed by both (and, not or).",
    {"ops.logical_and(mask, causal)": "ops.logical_or(mask, causal)"},
    masking=lambda mask, causal, lengths: (
        combined_mask(mask, causal, lengths)
        if mask is None or not causal
        else combined_mask(mask, False, lengths) | np.tri(*lengths, dtype=bool)
    ),
)
mistake(
    "causal-aligned-last",
    "The causal mask is aligned at the last key; Keras aligns it at the first: query i sees keys 0 to i.",
    {
        "ops.arange(query_length)[:, None] >= ops.arange(key_length)": "ops.arange(query_length)"
        "[:, None] + key_length - query_length >= ops.arange(key_length)"
    },
    masking=lambda mask, causal, lengths: (
        combined_mask(mask, False, lengths)
        & (np.tri(*lengths, k=lengths[1] - lengths[0], dtype=bool) | (not causal))
    ),
)
mistake(
    "causal-reversed",
    "The causal mask is reversed: each query sees the future instead of the past.",
    {
        "ops.arange(query_length)[:, None] >= ops.arange(key_length)": "ops.arange(query_length)"
        "[:, None] <= ops.arange(key_length)"
    },
    masking=lambda mask, causal, lengths: (
        combined_mask(mask, False, lengths) & (~np.tri(*lengths, k=-1, dtype=bool) | (not causal))
    ),
)
mistake(
    "causal-without-self",
    "The causal mask hides the query's own position; query i sees keys 0 to i, i included.",
    {
        "ops.arange(query_length)[:, None] >= ops.arange(key_length)": "ops.arange(query_length)"
        "[:, None] > ops.arange(key_length)"
    },
    masking=lambda mask, causal, lengths: (
        combined_mask(mask, False, lengths) & (np.tri(*lengths, k=-1, dtype=bool) | (not causal))
    ),
)
mistake(
    "key-ignored",
    "The argument `key` is ignored: the keys come from the value.",
    {"key = value if key is None else key": "key = value"},
    sources=lambda query, key, value: (query, value, value),
)
mistake(
    "values-from-key",
    "The values are projected from the key; they come from the value.",
    {"self.value_dense(value)": "self.value_dense(key)"},
    sources=lambda query, key, value: (query, key, key),
)
mistake(
    "self-attention-only",
    "Keys and values come from the query: this is self-attention whatever is passed.",
    {"key = value if key is None else key": "key = value = query"},
    sources=lambda query, key, value: (query, query, query),
)
mistake(
    "key-and-value-swapped",
    "Key and value are swapped: call is (query, value, key), in Keras's order.",
    {"key = value if key is None else key": "key, value = value, (value if key is None else key)"},
    sources=lambda query, key, value: (query, value, key),
)
mistake(
    "tied-query-key",
    "The key is not projected by key_dense: query and key share a projection, or it has none.",
    {"self.key_dense(key)": "self.query_dense(key)"},
    on=["unused:key_dense"],
    projections={"key_dense": "query_dense"},
)
mistake(
    "tied-key-value",
    "The value is not projected by value_dense: key and value share a projection, or it has none.",
    {"self.value_dense(value)": "self.key_dense(value)"},
    on=["unused:value_dense"],
    projections={"value_dense": "key_dense"},
)
mistake(
    "no-output-projection",
    "The output projection is missing: output_dense is not applied.",
    {
        "output = self.output_dense(ops.reshape(context, (-1, query.shape[1], self.d_model)))": (
            "output = ops.reshape(context, (-1, query.shape[1], self.d_model))\n"
            "        self.output_dense(output)"
        )
    },
    on=["unused:output_dense"],
    projections={"output_dense": "none"},
)
mistake(
    "raw-scores-returned",
    "The returned scores are those before the softmax; the weights after it are asked for.",
    {
        "return (output, weights)": "return (output, scores)",
        MASKING: "masked = ops.where(mask, scores, -1e9)",
        SOFTMAX: "weights = ops.softmax(scores if mask is None else masked, axis=-1)",
    },
    reporting=lambda weights, scores: scores,
)
mistake(
    "scores-averaged",
    "The returned scores are averaged over the heads; each head's are asked for: (B, H, Tq, Tk).",
    {"return (output, weights)": "return (output, ops.mean(weights, axis=1))"},
    reporting=lambda weights, scores: weights.mean(axis=1),
)


@exercise.misconception(
    "results-swapped",
    "The results are swapped: (output, scores) is asked for.",
    wrong={"return (output, weights)": "return (weights, output)"},
)
def results_swapped(layer, *args, **kwargs):
    result = multi_head(layer, *args, **kwargs)
    return result[::-1] if isinstance(result, tuple) else result


@exercise.misconception(
    "scores-not-returned",
    "return_attention_scores has no effect.",
    wrong={"return (output, weights) if return_attention_scores else output": "return output"},
)
def scores_not_returned(layer, *args, **kwargs):
    result = multi_head(layer, *args, **kwargs)
    return result[0] if isinstance(result, tuple) else result


exercise.behaviour(
    "built-in-call",
    "The sublayers are not kept: query_dense, key_dense, value_dense and output_dense must be made once, "
    "in __init__. A layer built inside call() starts with fresh weights at every call.",
    on=["no-weights"],
    wrong={
        "self.query_dense(query)": "layers.Dense(self.d_model)(query)",
        'self.query_dense = layers.Dense(d_model, name="query_dense")': "pass",
    },
)
exercise.behaviour(
    "projections-too-narrow",
    "query_dense, key_dense, value_dense and output_dense have d_model features each, all heads together.",
    wrong={
        'layers.Dense(d_model, name="query_dense")': 'layers.Dense(num_heads, name="query_dense")',
        'layers.Dense(d_model, name="key_dense")': 'layers.Dense(num_heads, name="key_dense")',
        SPLIT: "x = ops.reshape(x, (-1, x.shape[1], self.num_heads, x.shape[2] // self.num_heads))\n"
        "        return ops.transpose(x, (0, 2, 1, 3))",
        SCALE: "pass",
    },
)
exercise.behaviour(
    "mask-of-rank-3-only",
    "Masks come as (Tq, Tk), (B, Tq, Tk) or (B, H, Tq, Tk): only one of rank 3 needs a head axis.",
    wrong={"if len(mask.shape) == 3:": "if True:"},
)
exercise.behaviour(
    "boolean-masks-only",
    "Masks may hold 0 and 1 as well as False and True: cast them to bool.",
    wrong={
        'mask = ops.cast(attention_mask, "bool")': "mask = ops.convert_to_tensor(attention_mask)\n"
        '            if "bool" not in str(mask.dtype):\n                raise TypeError("no bool")'
    },
)
exercise.behaviour(
    "remembers-mask",
    "The mask of an earlier call is still in force in a call without one.",
    wrong={
        "mask = self._mask(": "attention_mask = self.__dict__.get('_m') if attention_mask is None "
        "else attention_mask\n        self.__dict__['_m'] = attention_mask\n        mask = self._mask("
    },
)
exercise.behaviour(
    "dropout-at-inference",
    "Weights are dropped outside training too: pass `training` on to the Dropout layer.",
    wrong={"self.dropout_layer(weights, training=training)": "self.dropout_layer(weights, training=True)"},
)
exercise.behaviour(
    "no-dropout",
    "Nothing is dropped in training.",
    wrong={"self.dropout_layer(weights, training=training)": "weights"},
)
exercise.behaviour(
    "dropout-elsewhere",
    "Dropout acts on the output, the context or the scores; it belongs on the attention weights, after "
    "the softmax.",
    wrong={
        "self.dropout_layer(weights, training=training)": "weights",
        "return (output, weights)": "output = self.dropout_layer(output, training=training)\n"
        "        return (output, weights)",
    },
)
exercise.behaviour(
    "dropout-not-rescaled",
    "The weights that stay are not divided by 1 - dropout, so the output shrinks in training.",
    wrong={
        "self.dropout_layer(weights, training=training)": "self.dropout_layer(weights, "
        "training=training) * (1 - self.dropout if training else 1)"
    },
)
exercise.behaviour(
    "dropout-rate-inverted",
    "dropout is the share that is dropped, not the share that is kept.",
    wrong={'layers.Dropout(dropout, name="dropout")': "layers.Dropout(1 - dropout if dropout else 0)"},
)
exercise.behaviour(
    "config-incomplete",
    "get_config loses an argument: a layer rebuilt from it is not the same.",
    wrong={'            "dropout": self.dropout,\n': ""},
)
exercise.behaviour(
    "no-gradient",
    "A part of the computation leaves Keras (stop_gradient, NumPy, a detour over Python numbers), so "
    "nothing before it can be trained.",
    on=["no-gradient"],
    wrong={"self._split(self.key_dense(key))": "ops.stop_gradient(self._split(self.key_dense(key)))"},
)
exercise.behaviour(
    "not-compilable",
    "call looks at the values of tensors with Python (if, float, NumPy), which a compiled function cannot.",
    wrong={
        SOFTMAX: f"if float(ops.max(scores)) > 1e8:\n            scores = scores / 2\n        {SOFTMAX}"
    },
)
exercise.behaviour(
    "no-divisibility-check",
    "A d_model that num_heads does not divide must raise ValueError in the constructor.",
    on=["no-error"],
    wrong={"if d_model % num_heads:": "if False:"},
)


def draw(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return rng.normal(size=shape).astype(np.float32)


def layer_of(submission: Submission, rng: np.random.Generator, dropout: float = 0.0) -> Any:
    """Three heads of width 4 on inputs of width 6."""
    config = {"num_heads": 3, "d_model": 12, "dropout": dropout}
    return submission.built(NAME, rng, (2, 3, 6), (2, 3, 6), **config)


@exercise.check("self-attention with two heads")
def small(submission: Submission, rng: np.random.Generator) -> None:
    layer = submission.built(NAME, rng, (1, 2, 2), (1, 2, 2), num_heads=2, d_model=4)
    x = np.round(draw(rng, 1, 2, 2), 1)
    layer.expect(x, x)
    layer.expect(x, x, return_attention_scores=True)


@exercise.check("queries and values of different lengths")
def cross(submission: Submission, rng: np.random.Generator) -> None:
    layer = layer_of(submission, rng)
    layer.expect(draw(rng, 2, 5, 6), draw(rng, 2, 5, 6), return_attention_scores=True)
    layer.expect(draw(rng, 2, 4, 6), draw(rng, 2, 5, 6), return_attention_scores=True)
    layer.expect(draw(rng, 3, 6, 6), draw(rng, 3, 2, 6))


@exercise.check("a key of its own")
def own_key(submission: Submission, rng: np.random.Generator) -> None:
    layer_of(submission, rng).expect(draw(rng, 2, 4, 6), draw(rng, 2, 5, 6), key=draw(rng, 2, 5, 6))
    shapes = ((2, 3, 7), (2, 3, 5), (2, 3, 8))
    wide = submission.built(NAME, rng, *shapes, num_heads=3, d_model=18)
    wide.expect(draw(rng, 2, 4, 7), draw(rng, 2, 5, 5), draw(rng, 2, 5, 8))


@exercise.check("an attention mask of rank 2, 3 and 4")
def masks(submission: Submission, rng: np.random.Generator) -> None:
    layer = layer_of(submission, rng)
    query, value = draw(rng, 2, 4, 6), draw(rng, 2, 5, 6)

    def mask(*shape: int) -> np.ndarray:
        allowed = rng.random(size=shape) < 0.5
        allowed[..., 1], allowed[..., 2] = True, False
        return allowed

    def expect(allowed: np.ndarray) -> None:
        layer.expect(query, value, attention_mask=allowed, return_attention_scores=True)

    expect(mask(2, 4, 5))
    with submission.suspecting("mask-of-rank-3-only"):
        expect(mask(4, 5))
        expect(mask(2, 3, 4, 5))
    with submission.suspecting("boolean-masks-only"):
        expect(mask(2, 4, 5).astype(np.int32))
    with submission.suspecting("remembers-mask"):
        layer.expect(query, value)


@exercise.check("use_causal_mask")
def causal(submission: Submission, rng: np.random.Generator) -> None:
    layer = layer_of(submission, rng)
    x = draw(rng, 2, 4, 6)
    layer.expect(x, x, use_causal_mask=True, return_attention_scores=True)
    layer.expect(x, draw(rng, 2, 7, 6), use_causal_mask=True)


@exercise.check("both masks together")
def both_masks(submission: Submission, rng: np.random.Generator) -> None:
    layer = layer_of(submission, rng)
    x = draw(rng, 2, 5, 6)
    allowed = np.ones((2, 5, 5), bool)
    allowed[0, :, 1] = allowed[1, 2:, 0] = allowed[1, 3:, 2] = False
    layer.expect(x, x, attention_mask=allowed, use_causal_mask=True)


@exercise.check("a query that may attend to nothing")
def nothing_allowed(submission: Submission, rng: np.random.Generator) -> None:
    layer = layer_of(submission, rng)
    allowed = np.ones((2, 4, 5), bool)
    allowed[0, 2] = allowed[1, 0] = False
    allowed[1, 3, 1:4] = False
    query, value = draw(rng, 2, 4, 6), draw(rng, 2, 5, 6)
    layer.expect(query, value, attention_mask=allowed, return_attention_scores=True)


@exercise.check("eight trainable weights, made once")
def weights_once(submission: Submission, rng: np.random.Generator) -> None:
    layer = layer_of(submission, rng)
    x = draw(rng, 2, 4, 6)
    shapes = {path: array.shape for path, array in layer.state.weights.items()}
    if any(shape[-1] != 12 for shape in shapes.values()):
        submission.fail(f"For d_model=12 the weights have the shapes {shapes}.", "projections-too-narrow")
    layer.expect(x, x)
    layer.expect(draw(rng, 1, 7, 6), draw(rng, 1, 2, 6))
    trainable = [weight for weight in layer.inventory() if weight.trainable]
    if len(trainable) != 8:
        submission.fail(f"Expected 8 trainable weights after three calls; found {len(trainable)}.")


@exercise.check("no dropout outside training")
def inference(submission: Submission, rng: np.random.Generator) -> None:
    layer = layer_of(submission, rng, dropout=0.5)
    x = draw(rng, 2, 4, 6)
    with submission.suspecting("dropout-at-inference"):
        layer.expect(x, x, training=False)
        layer.expect(x, x)


def dropped_weights(submission: Submission, rng: np.random.Generator, layer: Any, size: int):
    """Output, context, the weights that acted in training, and the weights before dropout.

    The value is the identity and the projections are invertible, so the output gives the weights away.
    """
    rotations = {
        name: np.linalg.qr(rng.normal(size=(size, size)))[0] for name in ("value_dense", "output_dense")
    }
    zeros = {f"{name}.bias": np.zeros(size) for name in DENSE}
    layer.write(zeros | {f"{name}.kernel": matrix for name, matrix in rotations.items()})
    query = draw(rng, 4, size, size) / size
    value = np.broadcast_to(np.eye(size, dtype=np.float32), (4, size, size))
    layer.expect(query, value)
    output = layer.output(query, value, training=True)
    weights = multi_head(layer.state, query, value, return_attention_scores=True)[1][:, 0]
    if output.shape != (4, size, size):
        submission.fail(f"In training the output must have shape {(4, size, size)}.")
    context = output @ rotations["output_dense"].T
    return output, context, context @ rotations["value_dense"].T, weights


@exercise.check("dropout on the weights in training")
def training_dropout(submission: Submission, rng: np.random.Generator) -> None:
    rate, size = 0.25, 16
    shape = (4, size, size)
    layer = submission.built(NAME, rng, shape, shape, num_heads=1, d_model=size, dropout=rate)
    output, context, acted, weights = dropped_weights(submission, rng, layer, size)
    ratio = acted / weights
    dropped = np.abs(ratio) < 0.02

    def all_near(number: float) -> bool:
        return bool(np.all(np.abs(ratio[~dropped] - number) < 0.02))

    if not dropped.any() and all_near(1.0):
        submission.fail("In training every weight acted as it does outside it.", "no-dropout")
    if all_near(1.0):
        submission.fail("The weights that stay have their old size.", "dropout-not-rescaled")
    if all_near(1 / rate):
        submission.fail(f"About {dropped.mean():.0%} were dropped.", "dropout-rate-inverted")
    if not all_near(1 / (1 - rate)):
        zeros = min(np.abs(output).min(), np.abs(context).min()) == 0
        sums = np.allclose(acted.sum(axis=-1), 1, atol=0.01)
        elsewhere = "dropout-elsewhere" if zeros or sums or np.abs(context).min() < 1e-7 else None
        submission.fail("The weights are neither 0 nor weight / (1 - dropout).", elsewhere)
    # Hoeffding: a right layer fails here with probability below 1e-6.
    bound = math.sqrt(math.log(2e6) / (2 * ratio.size))
    if abs(dropped.mean() - rate) > bound:
        submission.fail(f"dropout={rate}, but {dropped.mean():.1%} of the weights were dropped.")


@exercise.check("gradients reach all four kernels")
def gradients(submission: Submission, rng: np.random.Generator) -> None:
    layer = layer_of(submission, rng)
    allowed = rng.random(size=(2, 4, 5)) < 0.7
    allowed[..., 0] = True
    layer.expect_gradients(rng, draw(rng, 2, 4, 6), draw(rng, 2, 5, 6), attention_mask=allowed)


@exercise.check("get_config, from_config, and saved weights")
def round_trips(submission: Submission, rng: np.random.Generator) -> None:
    layer = layer_of(submission, rng, dropout=0.5)
    x = draw(rng, 2, 4, 6)
    with submission.suspecting("dropout-at-inference"):
        layer.expect(x, x)
    reloaded = layer.reloaded(x, x)
    with submission.suspecting("config-incomplete"):
        reloaded.expect(x, x)
    plain = reloaded.output(x, x)
    if np.array_equal(reloaded.output(x, x, training=True), plain):
        if not np.array_equal(layer.output(x, x, training=True), plain):
            submission.fail("The rebuilt layer drops nothing in training.", "config-incomplete")


@exercise.check("under jit_compile, and in fit", costly=True)
def compiled(submission: Submission, rng: np.random.Generator) -> None:
    # A layer of its own: the training step changes weights.
    layer = submission.new(NAME, num_heads=3, d_model=12)
    x = draw(rng, 2, 4, 6)
    layer(x, x)
    layer.randomize(rng)
    with submission.suspecting("not-compilable"):
        layer.expect_compiled(x, x, use_causal_mask=True)
        layer.expect_fit([x, x], draw(rng, 2, 4, 12), use_causal_mask=True)


@exercise.check("d_model must be divisible by num_heads")
def divisible(submission: Submission, rng: np.random.Generator) -> None:
    submission.expect_new_error(NAME, "ValueError", num_heads=4, d_model=10)
