"""Attention pooling as a Keras layer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from grader import reference
from grader.exercise import Exercise
from grader.submission import LayerState, Submission

NAME = "AttentionPooling"
WEIGHTS = ("project.kernel", "project.bias", "score.kernel")

exercise = Exercise(
    number=18,
    title="Attention pooling as a Keras layer",
    kind="keras",
    part="Recurrent attention",
    implements=[NAME],
    outputs={NAME: ("pooled", "weights")},
    weights={NAME: WEIGHTS},
    lesson="09_attention_in_classifiers#attention-pooling",
    minutes=20,
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
        "Make both Dense layers once, in __init__: project has the tanh, score has no bias. In call, write "
        "the shape of every line beside it.",
        "score gives (B, T, 1): drop the last axis before the softmax, or the softmax runs over a single "
        "number. What is summed in the end are the states themselves, (B, T, D), over the positions.",
        "scores = score(project(states))[..., 0]; -1e9 where masked; weights = softmax(scores, axis=-1), "
        "0 where masked; pooled = ops.sum(weights[..., None] * states, axis=1); return pooled, weights.",
    ],
)


def softmax_over(scores: np.ndarray, allowed: np.ndarray) -> np.ndarray:
    """The softmax over the allowed positions; zero where there are none."""
    return reference.softmax(reference.masked(scores, allowed))


def unstable(scores: np.ndarray) -> np.ndarray:
    """The softmax as its formula says, in float32: large scores overflow."""
    powers = np.exp(scores.astype(np.float32))
    return (powers / powers.sum(axis=-1, keepdims=True)).astype(np.float64)


def pooling(
    layer: LayerState,
    states: np.ndarray,
    mask: np.ndarray | None = None,
    *,
    activation: Callable[[np.ndarray], np.ndarray] = np.tanh,
    scoring: Callable[[np.ndarray], np.ndarray] = lambda scores: scores,
    allowing: Callable[[np.ndarray], np.ndarray] = lambda mask: mask,
    weighing: Callable[..., np.ndarray] = softmax_over,
    reading: Callable[..., np.ndarray] = lambda weights, states, hidden: np.einsum(
        "bt,btd->bd", weights, states
    ),
    reporting: Callable[..., Any] = lambda pooled, weights, scores: (pooled, weights),
) -> Any:
    """The right answer; each keyword replaces one step by a mistaken one."""
    hidden = activation(states @ layer["project.kernel"] + layer["project.bias"])
    scores = scoring((hidden @ layer["score.kernel"])[..., 0])
    given = np.ones(scores.shape, bool) if mask is None else allowing(np.asarray(mask, bool))
    weights = weighing(scores, given)
    return reporting(reading(weights, states, hidden), weights, scores)


exercise.oracle(NAME)(pooling)


def mistake(
    id: str, explanation: str, wrong: Mapping[str, str], on: Sequence[str] = (), **steps: Any
) -> None:
    """Register a misconception that is the oracle with some steps replaced."""

    def function(layer: LayerState, *args: Any, **kwargs: Any) -> Any:
        return pooling(layer, *args, **kwargs, **steps)

    exercise.misconception(id, explanation, wrong=wrong, on=on)(function)


PROJECT = 'layers.Dense(units, activation="tanh", name="project")'
SCORE = 'layers.Dense(1, use_bias=False, name="score")'
SQUEEZE = "ops.squeeze(self.score(hidden), axis=-1)"
CAST = 'mask = ops.cast(mask, "bool")  # (B, T)'
MASKING = "scores = ops.where(mask, scores, -1e9)"
SOFTMAX = "weights = ops.softmax(scores, axis=-1)  # (B, T)"
ZEROS = "weights = ops.where(mask, weights, 0.0)"
POOLED = "ops.sum(ops.expand_dims(weights, axis=-1) * states, axis=1)"
RETURN = "return pooled, weights"

mistake(
    "no-tanh",
    "The tanh is missing: project is a Dense layer with the activation tanh.",
    {PROJECT: 'layers.Dense(units, name="project")'},
    activation=lambda x: x,
)
mistake(
    "relu-for-tanh",
    "project has the activation relu; tanh is asked for.",
    {PROJECT: 'layers.Dense(units, activation="relu", name="project")'},
    activation=lambda x: np.maximum(x, 0),
)
mistake(
    "tanh-twice",
    "tanh is applied twice: by project and again by you.",
    {"hidden = self.project(states)": "hidden = ops.tanh(self.project(states))"},
    activation=lambda x: np.tanh(np.tanh(x)),
)
exercise.behaviour(
    "project-unused",
    "project is made, but call() does not use it: the states are scored as they are, or by another layer "
    "(one built inside call() has fresh random weights at every call).",
    on=["unused:project"],
    wrong={"hidden = self.project(states)": "hidden = states"},
)
exercise.behaviour(
    "no-score-layer",
    "score is made, but call() does not use it: the scores are a plain sum, a dot product or the "
    "output of another layer (one built inside call() has fresh random weights at every call).",
    on=["unused:score"],
    wrong={SQUEEZE: "ops.sum(hidden, axis=-1)"},
)
mistake(
    "scaled",
    "The scores are divided by sqrt(units). There is no scaling here: score learns the size.",
    {SQUEEZE: f"{SQUEEZE} / self.units**0.5"},
    scoring=lambda scores: scores / np.sqrt(6),
)
mistake(
    "score-with-activation",
    "score has a tanh of its own, which bounds the scores to -1 .. 1; it is linear.",
    {SCORE: 'layers.Dense(1, activation="tanh", use_bias=False, name="score")'},
    scoring=np.tanh,
)
mistake(
    "mean-pooling",
    "All real states get the same weight: this is their mean. Put the scores through the softmax.",
    {SQUEEZE: f"0.0 * {SQUEEZE}"},
    scoring=np.zeros_like,
)
mistake(
    "max-pooling",
    "The best state gets all the weight; the softmax shares it.",
    {SOFTMAX: "weights = ops.one_hot(ops.argmax(scores, axis=-1), scores.shape[1])"},
    weighing=lambda scores, allowed: np.where(
        allowed, np.eye(scores.shape[1])[np.argmax(np.where(allowed, scores, -1e9), axis=-1)], 0.0
    ),
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
    "pooled-from-hidden",
    "The hidden layer is summed, (B, units); the states themselves are to be summed, (B, D).",
    {POOLED: "ops.sum(ops.expand_dims(weights, axis=-1) * hidden, axis=1)"},
    reading=lambda weights, states, hidden: np.einsum("bt,btu->bu", weights, hidden),
)
mistake(
    "pooled-not-summed",
    "The weighted states are not summed: the pooled vector is one per example, (B, D).",
    {POOLED: "ops.expand_dims(weights, axis=-1) * states"},
    reading=lambda weights, states, hidden: weights[..., None] * states,
)
mistake(
    "pooled-keeps-time-axis",
    "The pooled vector has a time axis of length 1 left, (B, 1, D); (B, D) is asked for.",
    {POOLED: "ops.matmul(ops.expand_dims(weights, axis=1), states)"},
    reading=lambda weights, states, hidden: np.einsum("bt,btv->bv", weights, states)[:, None],
)
mistake(
    "pooled-summed-over-features",
    "The weighted states are summed over their features; sum over the positions (axis 1).",
    {POOLED: "ops.sum(ops.expand_dims(weights, axis=-1) * states, axis=-1)"},
    reading=lambda weights, states, hidden: np.einsum("bt,btv->bt", weights, states),
)
mistake(
    "pooled-averaged",
    "The weighted states are averaged over the positions; the weights sum to 1 already, so sum.",
    {POOLED: "ops.mean(ops.expand_dims(weights, axis=-1) * states, axis=1)"},
    reading=lambda weights, states, hidden: np.mean(weights[..., None] * states, axis=1),
)
mistake(
    "weights-keep-last-axis",
    "The weights have an axis of length 1 left, (B, T, 1); (B, T) is asked for.",
    {RETURN: "return pooled, ops.expand_dims(weights, axis=-1)"},
    reporting=lambda pooled, weights, scores: (pooled, weights[..., None]),
)
mistake(
    "raw-scores-returned",
    "The returned weights are the scores before the softmax.",
    {RETURN: "return pooled, scores"},
    reporting=lambda pooled, weights, scores: (pooled, scores),
)
mistake(
    "results-swapped",
    "The results are swapped: (pooled, weights) is asked for.",
    {RETURN: "return weights, pooled"},
    reporting=lambda pooled, weights, scores: (weights, pooled),
)
mistake(
    "weights-not-returned",
    "Only the pooled vector is returned; the weights are asked for too.",
    {RETURN: "return pooled"},
    reporting=lambda pooled, weights, scores: pooled,
)

exercise.behaviour(
    "built-in-call",
    "A sublayer is built inside call(): it starts with fresh random weights at every call and never "
    "learns. Make project and score once, in __init__, as attributes of these names.",
    on=["no-weights", "new-state"],
    wrong={
        "self.project(states)": 'layers.Dense(self.units, "tanh")(states)',
        f"self.project = {PROJECT}": "pass",
    },
)
exercise.behaviour(
    "misnamed-sublayers",
    "The sublayers have other names (or stand in a list): the attributes must be called project and score.",
    on=["misnamed"],
    wrong={f"self.score = {SCORE}": f"self.v = {SCORE}", "self.score(hidden)": "self.v(hidden)"},
)
exercise.behaviour(
    "no-bias",
    "project has no bias; only score goes without.",
    on=["no-weight:project.bias"],
    wrong={PROJECT: 'layers.Dense(units, "tanh", use_bias=False, name="project")'},
)
exercise.behaviour(
    "score-with-bias",
    "There are weights beyond project.kernel, project.bias and score.kernel. A bias of score would add the "
    "same to every score and change nothing: use_bias=False.",
    wrong={SCORE: 'layers.Dense(1, name="score")'},
)
exercise.behaviour(
    "units-ignored",
    "project does not have the width that was asked for: it has `units` features.",
    wrong={PROJECT: 'layers.Dense(10, activation="tanh", name="project")'},
)
exercise.behaviour(
    "mask-passed-on",
    "The pooled vector carries the mask of the states on, although its time axis is gone: the next layer "
    "would apply it. With supports_masking = True, compute_mask must return None.",
    wrong={"self.units = units": "self.units = units\n        self.supports_masking = True"},
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
        "        hidden =": "        mask = self.__dict__.get('_m') if mask is None else mask\n"
        "        self.__dict__['_m'] = mask\n        hidden ="
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
    wrong={"= self.project(states)": "= ops.stop_gradient(self.project(states))"},
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
    """Six units for states of width 3."""
    return submission.built(NAME, rng, (1, 4, 3), units=6)


@exercise.check("one sequence of two states")
def small(submission: Submission, rng: np.random.Generator) -> None:
    layer = layer_of(submission, rng)
    if layer.state["project.kernel"].shape[-1] != 6:
        submission.fail("units=6, but project does not have 6 features.", "units-ignored")
    layer.expect(np.round(draw(rng, 1, 2, 3), 1))


@exercise.check("a batch of sequences")
def batch(submission: Submission, rng: np.random.Generator) -> None:
    layer = layer_of(submission, rng)
    layer.expect(draw(rng, 2, 5, 3))
    layer.expect(draw(rng, 5, 1, 3))
    layer.expect(draw(rng, 3, 3, 3))


@exercise.check("a mask, boolean or 0 and 1")
def masks(submission: Submission, rng: np.random.Generator) -> None:
    layer = layer_of(submission, rng)
    states = draw(rng, 2, 5, 3)
    mask = np.array([[True, False, True, True, False], [False, True, True, False, False]])
    layer.expect(states, mask)
    layer.expect(states, mask=np.ones((2, 5), bool))
    layer.expect(states, mask=~mask)
    with submission.suspecting("boolean-masks-only"):
        layer.expect(states, mask=mask.astype(np.int32))
    with submission.suspecting("remembers-mask"):
        layer.expect(states)


@exercise.check("a mask that allows nothing")
def nothing_allowed(submission: Submission, rng: np.random.Generator) -> None:
    layer = layer_of(submission, rng)
    mask = np.ones((3, 4), bool)
    mask[1] = mask[0, 2:] = False
    layer.expect(draw(rng, 3, 4, 3), mask=mask)


@exercise.check("large scores")
def large(submission: Submission, rng: np.random.Generator) -> None:
    layer = layer_of(submission, rng)
    before = layer.state.weights
    # Every tanh is -1, 0 or 1 here, so the scores are numbers that float32 holds: 192, 64, 64, -192.
    saturated = {
        "project.kernel": np.concatenate([np.eye(3), np.zeros((3, 3))], axis=1) * 64,
        "project.bias": np.zeros(6),
        "score.kernel": np.full((6, 1), 64.0),
    }
    states = np.array([[[1, 1, 1], [1, -1, 1], [1, 1, -1], [-1, -1, -1]]], np.float32)
    layer.write(saturated)
    try:
        layer.expect(states)
        layer.expect(states[:, 1:])
        layer.expect(states, mask=np.array([[False, False, False, True]]))
    finally:
        layer.write(before)


@exercise.check("three trainable weights, made once")
def weights_once(submission: Submission, rng: np.random.Generator) -> None:
    layer = layer_of(submission, rng)
    layer.expect(draw(rng, 2, 7, 3))
    trainable = [weight for weight in layer.inventory() if weight.trainable]
    if len(trainable) != 3:
        submission.fail(f"Expected 3 trainable weights; found {len(trainable)}.", "score-with-bias")


@exercise.check("the pooled vector carries no mask")
def no_mask_out(submission: Submission, rng: np.random.Generator) -> None:
    layer = layer_of(submission, rng)
    if any(layer.masked_outputs(draw(rng, 2, 5, 3))[:1]):
        submission.fail("A mask comes out with the pooled vector.", "mask-passed-on")


@exercise.check("gradients reach both layers")
def gradients(submission: Submission, rng: np.random.Generator) -> None:
    layer = layer_of(submission, rng)
    mask = np.array([[True, True, False, True, True], [True, False, True, True, False]])
    layer.expect_gradients(rng, draw(rng, 2, 5, 3), mask=mask)


@exercise.check("get_config, from_config, and saved weights")
def round_trips(submission: Submission, rng: np.random.Generator) -> None:
    layer = layer_of(submission, rng)
    states = draw(rng, 2, 5, 3)
    layer.expect(states)
    with submission.suspecting("config-incomplete"):
        layer.reloaded(states).expect(states)


@exercise.check("under jit_compile, and in fit", costly=True)
def compiled(submission: Submission, rng: np.random.Generator) -> None:
    layer = layer_of(submission, rng)
    states = draw(rng, 2, 5, 3)
    mask = np.array([[True, True, False, True, True], [False, False, True, True, False]])
    layer.expect(states)
    with submission.suspecting("not-compilable"):
        layer.expect_compiled(states, mask=mask)
    # A layer of its own: the training step changes weights.
    layer = submission.new(NAME, units=6)
    layer(states)
    layer.randomize(rng)
    with submission.suspecting("not-compilable"):
        layer.expect_fit([states], draw(rng, 2, 3))
