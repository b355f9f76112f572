"""Bahdanau attention as a Keras layer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from grader import reference
from grader.exercise import Exercise
from grader.submission import LayerState, Submission

NAME = "BahdanauAttention"
DENSE = ("query_dense", "value_dense", "score_dense")

exercise = Exercise(
    number=17,
    title="Bahdanau attention as a Keras layer",
    kind="keras",
    part="Recurrent attention",
    implements=[NAME],
    outputs={NAME: ("context", "weights")},
    weights={NAME: [f"{dense}.{kind}" for dense in DENSE for kind in ("kernel", "bias")]},
    lesson="08_lstm_attention_seq2seq#bahdanau-attention",
    minutes=25,
    difficulty=2,
    seconds=20.0,
    forbidden=[
        "keras.layers.AdditiveAttention",
        "keras.layers.Attention",
        "keras.layers.MultiHeadAttention",
        "keras.layers.GroupQueryAttention",
        "keras.layers.GroupedQueryAttention",
        "keras.layers.attention*",
        "keras.ops.dot_product_attention",
        "keras.ops.nn.dot_product_attention",
        "tensorflow*",
        "torch*",
        "jax*",
    ],
    hints=[
        "Make the three Dense layers once, in __init__. In call, write the shape of every line beside it: "
        "the query has no time axis, the values have one.",
        "query_dense(query) is (B, units): give it an axis of length 1 in the middle and it is added to "
        "every position of value_dense(values). After score_dense the last axis has length 1: drop it "
        "before the softmax, or the softmax runs over a single number.",
        "scores = score_dense(tanh(query_dense(query)[:, None] + value_dense(values)))[..., 0]; -1e9 where "
        "masked; weights = softmax(scores, axis=-1), 0 where masked; "
        "context = ops.sum(weights[..., None] * values, axis=1); return context, weights.",
    ],
)


def softmax_over(scores: np.ndarray, allowed: np.ndarray) -> np.ndarray:
    """The softmax over the allowed positions; zero where there are none."""
    return reference.softmax(reference.masked(scores, allowed))


def unstable(scores: np.ndarray) -> np.ndarray:
    """The softmax as its formula says, in float32: large scores overflow."""
    powers = np.exp(scores.astype(np.float32))
    return (powers / powers.sum(axis=-1, keepdims=True)).astype(np.float64)


def bahdanau(
    layer: LayerState,
    query: np.ndarray,
    values: np.ndarray,
    mask: np.ndarray | None = None,
    *,
    projections: Mapping[str, str] | None = None,
    meeting: Callable[..., np.ndarray] = lambda query, keys: np.tanh(query[:, None] + keys),
    allowing: Callable[[np.ndarray], np.ndarray] = lambda mask: mask,
    weighing: Callable[..., np.ndarray] = softmax_over,
    reading: Callable[..., np.ndarray] = lambda weights, values, keys, hidden: np.einsum(
        "bt,btv->bv", weights, values
    ),
    reporting: Callable[..., Any] = lambda context, weights, scores: (context, weights),
) -> Any:
    """The right answer; each keyword replaces one step by a mistaken one."""

    def project(name: str, x: np.ndarray) -> np.ndarray:
        name = (projections or {}).get(name, name)
        return x @ layer[f"{name}.kernel"] + layer[f"{name}.bias"]

    keys = project("value_dense", values)
    hidden = meeting(project("query_dense", query), keys)
    scores = project("score_dense", hidden)[..., 0]
    given = np.ones(scores.shape, bool) if mask is None else allowing(np.asarray(mask, bool))
    weights = weighing(scores, given)
    return reporting(reading(weights, values, keys, hidden), weights, scores)


exercise.oracle(NAME)(bahdanau)


def mistake(
    id: str, explanation: str, wrong: Mapping[str, str], on: Sequence[str] = (), **steps: Any
) -> None:
    """Register a misconception that is the oracle with some steps replaced."""

    def function(layer: LayerState, *args: Any, **kwargs: Any) -> Any:
        return bahdanau(layer, *args, **kwargs, **steps)

    exercise.misconception(id, explanation, wrong=wrong, on=on)(function)


QUERIES = "ops.expand_dims(self.query_dense(query), axis=1)"
TANH = "ops.tanh(queries + keys)"
SQUEEZE = "ops.squeeze(self.score_dense(hidden), axis=-1)"
CAST = 'mask = ops.cast(mask, "bool")  # (B, T)'
MASKING = "scores = ops.where(mask, scores, -1e9)"
SOFTMAX = "weights = ops.softmax(scores, axis=-1)  # (B, T)"
ZEROS = "weights = ops.where(mask, weights, 0.0)"
CONTEXT = "ops.sum(ops.expand_dims(weights, axis=-1) * values, axis=1)"
RETURN = "return context, weights"

mistake(
    "query-without-time-axis",
    "The query gets no time axis: (B, units) + (B, T, units) lines the batch up with the positions. Make "
    "it (B, 1, units).",
    {QUERIES: "self.query_dense(query)"},
    meeting=lambda query, keys: np.tanh(query + keys),
)
mistake(
    "no-tanh",
    "The tanh is missing: without it the query adds the same to every score and changes nothing.",
    {TANH: "queries + keys"},
    meeting=lambda query, keys: query[:, None] + keys,
)
mistake(
    "query-without-effect",
    "The query does not change the weights. tanh belongs around the sum of both projections: around each "
    "of them (or around one alone) the query adds the same to every score.",
    {TANH: "ops.tanh(queries) + ops.tanh(keys)"},
    meeting=lambda query, keys: np.tanh(query)[:, None] + np.tanh(keys),
)
mistake(
    "relu-for-tanh",
    "The nonlinearity is a ReLU; Bahdanau's is a tanh.",
    {TANH: "ops.relu(queries + keys)"},
    meeting=lambda query, keys: np.maximum(query[:, None] + keys, 0),
)
mistake(
    "product-for-sum",
    "The projections are multiplied; additive attention adds them.",
    {TANH: "ops.tanh(queries * keys)"},
    meeting=lambda query, keys: np.tanh(query[:, None] * keys),
)


@exercise.misconception(
    "projections-swapped",
    "query_dense is applied to the values and value_dense to the query; each belongs to its own.",
    wrong={
        "self.query_dense(query)": "self.value_dense(query)",
        "= self.value_dense(": "= self.query_dense(",
    },
    on=["weight-shapes"],
)
def projections_swapped(layer, *args, **kwargs):
    swapped = {"query_dense": "value_dense", "value_dense": "query_dense"}
    return bahdanau(layer, *args, **kwargs, projections=swapped)


exercise.behaviour(
    "sublayer-unused",
    "query_dense or value_dense is made in __init__, but call() does not use it: something else stands in "
    "its place, perhaps a Dense built inside call(), which has fresh random weights at every call.",
    on=["unused:query_dense", "unused:value_dense"],
    wrong={"self.value_dense(values)": "layers.Dense(self.units)(values)"},
)
exercise.behaviour(
    "no-score-layer",
    "score_dense is made, but call() does not use it: the scores are a plain sum, a dot product or the "
    "output of another layer (one built inside call() has fresh random weights at every call).",
    on=["unused:score_dense"],
    wrong={SQUEEZE: "ops.sum(hidden, axis=-1)"},
)
mistake(
    "scaled",
    "The scores are divided by sqrt(units). Additive attention has no scaling: score_dense learns the "
    "size.",
    {SQUEEZE: f"{SQUEEZE} / self.units**0.5"},
    weighing=lambda scores, allowed: softmax_over(scores / np.sqrt(6), allowed),
)
mistake(
    "score-with-activation",
    "score_dense has a tanh of its own, which bounds the scores to -1 .. 1; it is linear.",
    {'layers.Dense(1, name="score_dense")': 'layers.Dense(1, activation="tanh", name="score_dense")'},
    weighing=lambda scores, allowed: softmax_over(np.tanh(scores), allowed),
)
mistake(
    "softmax-over-one-score",
    "The softmax runs over the last axis of (B, T, 1), where there is one number: every weight becomes 1. "
    "It must run over the positions.",
    {
        SOFTMAX: "weights = ops.squeeze(ops.softmax(ops.expand_dims(scores, -1), axis=-1), -1)",
    },
    weighing=lambda scores, allowed: np.where(allowed, 1.0, 0.0),
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
    "softmax-over-everything",
    "One softmax runs over the whole batch; each example needs its own.",
    {SOFTMAX: "weights = ops.reshape(ops.softmax(ops.reshape(scores, (-1,))), (-1, scores.shape[1]))"},
    weighing=lambda scores, allowed: np.where(
        allowed, reference.softmax(np.where(allowed, scores, -1e9).ravel()).reshape(scores.shape), 0.0
    ),
)
mistake(
    "sigmoid-for-softmax",
    "The scores go through a sigmoid: each weight is right on its own, but they do not sum to 1.",
    {SOFTMAX: "weights = ops.sigmoid(scores)"},
    weighing=lambda scores, allowed: np.where(allowed, 1 / (1 + np.exp(-scores)), 0.0),
)
mistake(
    "no-max-subtraction",
    "exp of large scores overflows: subtract the largest score first, or use ops.softmax.",
    {SOFTMAX: "weights = ops.exp(scores) / ops.sum(ops.exp(scores), axis=-1, keepdims=True)"},
    weighing=lambda scores, allowed: np.where(allowed, unstable(np.where(allowed, scores, -1e9)), 0.0),
)
mistake(
    "mask-inverted",
    "The mask is read the other way round: True (1) means may attend.",
    {CAST: 'mask = ~ops.cast(mask, "bool")'},
    allowing=lambda mask: ~mask,
)
mistake(
    "mask-ignored",
    "The mask has no effect. Did you write 1e-9 for 1e9, or never use it?",
    {CAST: "mask = None", MASKING: "pass"},
    allowing=np.ones_like,
)
mistake(
    "mask-too-weak",
    "Forbidden positions get a score that is not low enough, for real scores may be lower still: use -1e9.",
    {MASKING: "scores = ops.where(mask, scores, -3.0)"},
    weighing=lambda scores, allowed: np.where(
        allowed, reference.softmax(np.where(allowed, scores, -3.0)), 0.0
    ),
)
mistake(
    "mask-with-wrong-sign",
    "Forbidden positions get a large positive score, so they take all the weight; it must be negative.",
    {
        MASKING: "scores = scores + (1.0 - ops.cast(mask, 'float32')) * 1e9",
        ZEROS: "pass",
    },
    # In float32, where a score disappears beside 1e9.
    weighing=lambda scores, allowed: reference.softmax(
        scores.astype(np.float32) + ~allowed * np.float32(1e9)
    ),
)
mistake(
    "mask-after-softmax",
    "The mask is applied to the weights after the softmax only, so they no longer sum to 1.",
    {MASKING: "pass"},
    weighing=lambda scores, allowed: np.where(allowed, reference.softmax(scores), 0.0),
)
mistake(
    "mask-added",
    "The raw mask is added to the scores: forbidden positions lose 1, not everything.",
    {MASKING: 'scores = scores + ops.cast(mask, "float32")', ZEROS: "pass"},
    weighing=lambda scores, allowed: reference.softmax(scores if np.all(allowed) else scores + allowed),
)
mistake(
    "mask-multiplied",
    "The scores are multiplied by the mask: a score of 0 still gets weight. Forbid with "
    "a large negative one.",
    {MASKING: 'scores = scores * ops.cast(mask, "float32")', ZEROS: "pass"},
    weighing=lambda scores, allowed: reference.softmax(scores * allowed),
)
mistake(
    "fully-masked-uniform",
    "Where the mask allows nothing, the weights are equal; they must be zero.",
    {ZEROS: "pass"},
    weighing=lambda scores, allowed: reference.softmax(np.where(allowed, scores, -1e9)),
)
mistake(
    "fully-masked-nan",
    "Where the mask allows nothing, the weights are NaN (softmax over -inf alone); they must be zero.",
    {MASKING: 'scores = ops.where(mask, scores, -float("inf"))', ZEROS: "pass"},
    weighing=lambda scores, allowed: np.where(
        np.any(allowed, axis=-1, keepdims=True), softmax_over(scores, allowed), np.nan
    ),
)
mistake(
    "context-from-projection",
    "The context sums the projected values, (B, units); it sums the values themselves, (B, Dv).",
    {CONTEXT: "ops.sum(ops.expand_dims(weights, axis=-1) * keys, axis=1)"},
    reading=lambda weights, values, keys, hidden: np.einsum("bt,btu->bu", weights, keys),
)
mistake(
    "context-from-hidden",
    "The context sums the hidden tanh layer, (B, units); it sums the values themselves, (B, Dv).",
    {CONTEXT: "ops.sum(ops.expand_dims(weights, axis=-1) * hidden, axis=1)"},
    reading=lambda weights, values, keys, hidden: np.einsum("bt,btu->bu", weights, hidden),
)
mistake(
    "context-not-summed",
    "The weighted values are not summed: the context is one vector per example, (B, Dv).",
    {CONTEXT: "ops.expand_dims(weights, axis=-1) * values"},
    reading=lambda weights, values, keys, hidden: weights[..., None] * values,
)
mistake(
    "context-keeps-time-axis",
    "The context has a time axis of length 1 left, (B, 1, Dv); (B, Dv) is asked for.",
    {CONTEXT: "ops.matmul(ops.expand_dims(weights, axis=1), values)"},
    reading=lambda weights, values, keys, hidden: np.einsum("bt,btv->bv", weights, values)[:, None],
)
mistake(
    "context-summed-over-features",
    "The weighted values are summed over their features; sum over the positions (axis 1).",
    {CONTEXT: "ops.sum(ops.expand_dims(weights, axis=-1) * values, axis=-1)"},
    reading=lambda weights, values, keys, hidden: np.einsum("bt,btv->bt", weights, values),
)
mistake(
    "context-averaged",
    "The weighted values are averaged over the positions; the weights sum to 1 already, so sum.",
    {CONTEXT: "ops.mean(ops.expand_dims(weights, axis=-1) * values, axis=1)"},
    reading=lambda weights, values, keys, hidden: np.mean(weights[..., None] * values, axis=1),
)
mistake(
    "weights-keep-last-axis",
    "The weights have an axis of length 1 left, (B, T, 1); (B, T) is asked for.",
    {RETURN: "return context, ops.expand_dims(weights, axis=-1)"},
    reporting=lambda context, weights, scores: (context, weights[..., None]),
)
mistake(
    "raw-scores-returned",
    "The returned weights are the scores before the softmax.",
    {RETURN: "return context, scores"},
    reporting=lambda context, weights, scores: (context, scores),
)
mistake(
    "results-swapped",
    "The results are swapped: (context, weights) is asked for.",
    {RETURN: "return weights, context"},
    reporting=lambda context, weights, scores: (weights, context),
)
mistake(
    "weights-not-returned",
    "Only the context is returned; the weights are asked for too.",
    {RETURN: "return context"},
    reporting=lambda context, weights, scores: context,
)

exercise.behaviour(
    "built-in-call",
    "A sublayer is built inside call(): it starts with fresh random weights at every call and never "
    "learns. Make query_dense, value_dense and score_dense once, in __init__, as attributes of these "
    "names.",
    on=["no-weights", "new-state"],
    wrong={
        "self.score_dense(hidden)": "layers.Dense(1)(hidden)",
        'self.score_dense = layers.Dense(1, name="score_dense")': "pass",
    },
)
exercise.behaviour(
    "misnamed-sublayers",
    "The sublayers have other names (or stand in a list): the attributes must be called query_dense, "
    "value_dense and score_dense.",
    on=["misnamed"],
    wrong={
        'self.score_dense = layers.Dense(1, name="score_dense")': 'self.V = layers.Dense(1, name="V")',
        "self.score_dense(hidden)": "self.V(hidden)",
    },
)
exercise.behaviour(
    "no-bias",
    "A Dense layer has no bias; all three are plain Dense layers with one.",
    on=[f"no-weight:{dense}.bias" for dense in DENSE],
    wrong={
        'self.score_dense = layers.Dense(1, name="score_dense")': "self.score_dense = layers.Dense("
        '1, use_bias=False, name="score_dense")'
    },
)
exercise.behaviour(
    "units-ignored",
    "The layers do not have the width that was asked for: query_dense and value_dense have `units` "
    "features.",
    wrong={
        'self.query_dense = layers.Dense(units, name="query_dense")': "units = 10\n"
        '        self.query_dense = layers.Dense(units, name="query_dense")'
    },
)
exercise.behaviour(
    "more-weights",
    "There are weights beyond the kernels and biases of the three Dense layers.",
    wrong={
        TANH: "self.gain * ops.tanh(queries + keys)",
        "self.units = units": "self.units = units\n        self.gain = self.add_weight(shape=(), "
        'initializer="ones")',
    },
)
exercise.behaviour(
    "boolean-masks-only",
    "Masks may hold 0 and 1 as well as False and True: cast them to bool.",
    wrong={
        CAST: "mask = ops.convert_to_tensor(mask)\n"
        '            if "bool" not in str(mask.dtype):\n                raise TypeError("no bool")'
    },
)
exercise.behaviour(
    "remembers-mask",
    "The mask of an earlier call is still in force in a call without one.",
    wrong={
        "        queries =": "        mask = self.__dict__.get('_m') if mask is None else mask\n"
        "        self.__dict__['_m'] = mask\n        queries ="
    },
)
exercise.behaviour(
    "config-incomplete",
    "get_config leaves out `units`: the layer cannot be built again from it.",
    wrong={', "units": self.units': ""},
)
exercise.behaviour(
    "no-gradient",
    "A part of the computation leaves Keras (stop_gradient, NumPy, a detour over Python numbers), so "
    "nothing before it can be trained.",
    on=["no-gradient"],
    wrong={"= self.value_dense(values)": "= ops.stop_gradient(self.value_dense(values))"},
)
exercise.behaviour(
    "not-compilable",
    "call looks at the values of tensors with Python (if, float, NumPy), which a compiled function cannot.",
    wrong={
        SOFTMAX: f"if float(ops.max(scores)) > 1e8:\n            scores = scores / 2\n        {SOFTMAX}"
    },
)


def draw(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return rng.normal(size=shape).astype(np.float32)


def layer_of(submission: Submission, rng: np.random.Generator) -> Any:
    """Six units for queries of width 4 and values of width 3."""
    return submission.built(NAME, rng, (1, 4), (1, 3, 3), units=6)


@exercise.check("one query, two values")
def small(submission: Submission, rng: np.random.Generator) -> None:
    layer = layer_of(submission, rng)
    if layer.state["query_dense.kernel"].shape[-1] != 6:
        submission.fail("units=6, but query_dense does not have 6 features.", "units-ignored")
    layer.expect(np.round(draw(rng, 1, 4), 1), np.round(draw(rng, 1, 2, 3), 1))


@exercise.check("a batch of queries")
def batch(submission: Submission, rng: np.random.Generator) -> None:
    layer = layer_of(submission, rng)
    layer.expect(draw(rng, 2, 4), draw(rng, 2, 5, 3))
    layer.expect(draw(rng, 5, 4), draw(rng, 5, 1, 3))
    # As many examples as positions: an axis too few would be broadcast without a word.
    layer.expect(draw(rng, 3, 4), draw(rng, 3, 3, 3))


@exercise.check("a mask, boolean or 0 and 1")
def masks(submission: Submission, rng: np.random.Generator) -> None:
    layer = layer_of(submission, rng)
    query, values = draw(rng, 2, 4), draw(rng, 2, 5, 3)
    mask = np.array([[True, False, True, True, False], [False, True, True, False, False]])
    layer.expect(query, values, mask)
    layer.expect(query, values, mask=np.ones((2, 5), bool))
    layer.expect(query, values, mask=~mask)
    with submission.suspecting("boolean-masks-only"):
        layer.expect(query, values, mask=mask.astype(np.int32))
    with submission.suspecting("remembers-mask"):
        layer.expect(query, values)


@exercise.check("a mask that allows nothing")
def nothing_allowed(submission: Submission, rng: np.random.Generator) -> None:
    layer = layer_of(submission, rng)
    mask = np.ones((3, 4), bool)
    mask[1] = mask[0, 2:] = False
    layer.expect(draw(rng, 3, 4), draw(rng, 3, 4, 3), mask=mask)


@exercise.check("large scores")
def large(submission: Submission, rng: np.random.Generator) -> None:
    layer = layer_of(submission, rng)
    before = layer.state.weights
    # Every tanh is -1 or 1 here, so the scores are numbers that float32 holds exactly: 192, 64, 64, -192.
    kernel = np.concatenate([np.eye(3), np.zeros((3, 3))], axis=1) * 64
    saturated = {
        "query_dense.kernel": np.zeros((4, 6)),
        "query_dense.bias": np.zeros(6),
        "value_dense.kernel": kernel,
        "value_dense.bias": np.zeros(6),
        "score_dense.kernel": np.full((6, 1), 64.0),
        "score_dense.bias": np.zeros(1),
    }
    values = np.array([[[1, 1, 1], [1, -1, 1], [1, 1, -1], [-1, -1, -1]]], np.float32)
    layer.write(saturated)
    try:
        layer.expect(draw(rng, 1, 4), values)
        layer.expect(draw(rng, 1, 4), values[:, 1:])
        layer.expect(draw(rng, 1, 4), values, mask=np.array([[False, False, False, True]]))
    finally:
        layer.write(before)


@exercise.check("six trainable weights, made once")
def weights_once(submission: Submission, rng: np.random.Generator) -> None:
    layer = layer_of(submission, rng)
    layer.expect(draw(rng, 2, 4), draw(rng, 2, 7, 3))
    trainable = [weight for weight in layer.inventory() if weight.trainable]
    if len(trainable) != 6:
        submission.fail(f"Expected 6 trainable weights; found {len(trainable)}.", "more-weights")


@exercise.check("gradients reach all three layers")
def gradients(submission: Submission, rng: np.random.Generator) -> None:
    layer = layer_of(submission, rng)
    mask = np.array([[True, True, False, True, True], [True, False, True, True, False]])
    layer.expect_gradients(rng, draw(rng, 2, 4), draw(rng, 2, 5, 3), mask=mask)


@exercise.check("get_config, from_config, and saved weights")
def round_trips(submission: Submission, rng: np.random.Generator) -> None:
    layer = layer_of(submission, rng)
    query, values = draw(rng, 2, 4), draw(rng, 2, 5, 3)
    layer.expect(query, values)
    with submission.suspecting("config-incomplete"):
        layer.reloaded(query, values).expect(query, values)


@exercise.check("under jit_compile, and in fit", costly=True)
def compiled(submission: Submission, rng: np.random.Generator) -> None:
    layer = layer_of(submission, rng)
    query, values = draw(rng, 2, 4), draw(rng, 2, 5, 3)
    mask = np.array([[True, True, False, True, True], [False, False, True, True, False]])
    layer.expect(query, values)
    with submission.suspecting("not-compilable"):
        layer.expect_compiled(query, values, mask=mask)
    # A layer of its own: the training step changes weights.
    layer = submission.new(NAME, units=6)
    layer(query, values)
    layer.randomize(rng)
    with submission.suspecting("not-compilable"):
        layer.expect_fit([query, values], draw(rng, 2, 3))
