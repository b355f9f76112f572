"""Self-attention as a Keras layer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from grader import reference
from grader.exercise import Exercise
from grader.submission import LayerState, Submission

NAME = "SelfAttention"
DENSE = ("query_dense", "key_dense", "value_dense", "output_dense")

exercise = Exercise(
    number=22,
    title="Self-attention as a Keras layer",
    kind="keras",
    part="Keras layers and Transformers",
    implements=[NAME],
    outputs={NAME: ("output", "attention scores")},
    weights={NAME: [f"{dense}.{kind}" for dense in DENSE for kind in ("kernel", "bias")]},
    lesson="10_keras_attention_layers#exercise-22-self-attention-as-a-layer",
    minutes=20,
    difficulty=1,
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
        "Make the four Dense layers once, in __init__. In call, write the shape of every line beside it: "
        "all three projections are (B, T, d_model), and the scores are (B, T, T).",
        "The product needs the key as (B, d_model, T): swap its last two axes and leave the batch alone. "
        "Both kinds of mask, (T, T) and (B, T, T), broadcast against the scores as they are; cast them to "
        "bool, and give what is forbidden a large negative score before the softmax.",
        "scores = query @ ops.swapaxes(key, 1, 2) / d_model**0.5; -1e9 where masked; weights = "
        "ops.softmax(scores, axis=-1), 0 where masked; output = output_dense(weights @ value); return "
        "(output, weights) if return_attention_scores else output.",
    ],
)


def weighed(scores: np.ndarray, allowed: np.ndarray) -> np.ndarray:
    """The softmax over the allowed keys; zeros where there are none."""
    return reference.softmax(reference.masked(scores, allowed))


def softmax_over(axis: int | None) -> Callable[..., np.ndarray]:
    """A softmax over a wrong axis (None: over a whole matrix of scores), zeroed where forbidden."""

    def weigh(scores: np.ndarray, allowed: np.ndarray) -> np.ndarray:
        scores = np.where(allowed, scores, -1e9)
        if axis is None:
            flat = reference.softmax(scores.reshape(len(scores), -1))
            return np.where(allowed, flat.reshape(scores.shape), 0.0)
        return np.where(allowed, reference.softmax(scores, axis=axis), 0.0)

    return weigh


def unstable(scores: np.ndarray, allowed: np.ndarray) -> np.ndarray:
    """The softmax as its formula says, in float32: large scores overflow."""
    powers = np.exp(np.where(allowed, scores, -1e9).astype(np.float32))
    return np.where(allowed, powers / powers.sum(axis=-1, keepdims=True), 0.0)


def products(query: np.ndarray, key: np.ndarray) -> np.ndarray:
    return np.einsum("bqd,bkd->bqk", query, key)


def mixed(weights: np.ndarray, value: np.ndarray) -> np.ndarray:
    return np.einsum("bqk,bkd->bqd", weights, value)


def attending(
    layer: LayerState,
    x: np.ndarray,
    attention_mask: np.ndarray | None = None,
    return_attention_scores: bool = False,
    *,
    roles: Mapping[str, str] | None = None,
    activation: Callable[[np.ndarray], np.ndarray] = lambda x: x,
    scoring: Callable[..., np.ndarray] = products,
    divisor: Callable[[int, int, int], float] = lambda d_model, width, length: d_model**0.5,
    allowing: Callable[..., np.ndarray | None] = lambda mask: mask,
    weighing: Callable[..., np.ndarray] = weighed,
    mixing: Callable[..., np.ndarray] = mixed,
    finishing: Callable[..., np.ndarray] = lambda output, x: output,
    reporting: Callable[..., Any] = lambda output, weights, scores, wanted: (
        (output, weights) if wanted else output
    ),
) -> Any:
    """The right answer; each keyword replaces one step by a mistaken one."""
    d_model = layer.config["d_model"]

    def project(name: str, of: np.ndarray) -> np.ndarray:
        if layer[f"{name}.bias"].shape != (d_model,):
            raise ValueError(f"{name} must have d_model features")
        name = (roles or {}).get(name, name)
        return of if name == "none" else of @ layer[f"{name}.kernel"] + layer[f"{name}.bias"]

    query, key, value = (activation(project(name, x)) for name in DENSE[:3])
    scores = scoring(query, key) / divisor(d_model, x.shape[-1], x.shape[1])
    given = None if attention_mask is None else allowing(np.asarray(attention_mask, bool))
    allowed = np.broadcast_to(True if given is None else given, scores.shape)
    weights = weighing(scores, allowed)
    output = finishing(project("output_dense", mixing(weights, value)), x)
    return reporting(output, weights, scores, return_attention_scores)


exercise.oracle(NAME)(attending)


def mistake(
    id: str, explanation: str, wrong: Mapping[str, str], on: Sequence[str] = (), **steps: Any
) -> None:
    """Register a misconception that is the oracle with some steps replaced."""

    def function(layer: LayerState, *args: Any, **kwargs: Any) -> Any:
        return attending(layer, *args, **kwargs, **steps)

    exercise.misconception(id, explanation, wrong=wrong, on=on)(function)


QUERY, KEY, VALUE = (f"{role} = self.{role}_dense(x)" for role in ("query", "key", "value"))
SWAPPED = "ops.swapaxes(key, 1, 2)"
PRODUCT = f"ops.matmul(query, {SWAPPED})"
ROOT = "self.d_model**0.5"
CAST = 'mask = ops.cast(attention_mask, "bool")'
MASKING = "scores = ops.where(mask, scores, -1e9)"
SOFTMAX = "weights = ops.softmax(scores, axis=-1)"
ZEROS = "weights = ops.where(mask, weights, 0.0)"
CONTEXT = "context = ops.matmul(weights, value)"
OUTPUT = "output = self.output_dense(context)"
RETURN = "return (output, weights) if return_attention_scores else output"

# The projections

mistake(
    "one-projection",
    "Query, key and value are one and the same projection; each has a Dense layer of its own.",
    # All four are built, so that only the numbers tell.
    {KEY: "key = (self.key_dense(x), query)[1]", VALUE: "value = (self.value_dense(x), query)[1]"},
    roles={"key_dense": "query_dense", "value_dense": "query_dense"},
)
mistake(
    "tied-query-key",
    "The key is not projected by key_dense: it shares the query's projection, or it has none.",
    {KEY: "key = self.query_dense(x)"},
    on=["unused:key_dense"],
    roles={"key_dense": "query_dense"},
)
mistake(
    "tied-key-value",
    "The value is not projected by value_dense: it shares the key's projection, or it has none.",
    {VALUE: "value = self.key_dense(x)"},
    on=["unused:value_dense"],
    roles={"value_dense": "key_dense"},
)
mistake(
    "query-unprojected",
    "The query is not projected by query_dense: it shares another projection, or it has none.",
    {QUERY: "query = self.key_dense(x)"},
    on=["unused:query_dense"],
    roles={"query_dense": "key_dense"},
)
mistake(
    "query-and-key-swapped",
    "Query and key have changed places: rows of the scores belong to queries, columns to keys.",
    {PRODUCT: "ops.matmul(key, ops.swapaxes(query, 1, 2))"},
    roles={"query_dense": "key_dense", "key_dense": "query_dense"},
)
mistake(
    "key-and-value-swapped",
    "Key and value have changed places: scores come from the key, and what is mixed is the value.",
    {KEY: "key = self.value_dense(x)", VALUE: "value = self.key_dense(x)"},
    roles={"key_dense": "value_dense", "value_dense": "key_dense"},
)
mistake(
    "no-output-projection",
    "The output projection is missing: the mixture of values goes through output_dense.",
    {OUTPUT: "output = (self.output_dense(context), context)[1]"},
    on=["unused:output_dense"],
    roles={"output_dense": "none"},
)
mistake(
    "projections-with-activation",
    "The projections have a relu; query, key and value are linear, without activation.",
    {
        f'Dense(d_model, name="{role}_dense")': f'Dense(d_model, "relu", name="{role}_dense")'
        for role in ("query", "key", "value")
    },
    activation=lambda x: np.maximum(x, 0),
)

# The scores


def not_transposed(query: np.ndarray, key: np.ndarray) -> np.ndarray:
    """matmul(query, ops.transpose(key)): right for one token of one feature, an error elsewhere."""
    if key.shape != (1, 1, 1):
        raise ValueError("the shapes do not fit")
    return products(query, key)


mistake(
    "keys-not-transposed",
    "Query and key do not fit together in the product: swap the last two axes of the key, (B, T, d_model) "
    "to (B, d_model, T). ops.transpose alone reverses all three axes, the batch too.",
    {SWAPPED: "ops.transpose(key)"},
    scoring=not_transposed,
)
mistake(
    "reshaped-for-transposed",
    "The key is reshaped to (B, d_model, T), which mixes its numbers: swap the last two axes (transpose).",
    {SWAPPED: "ops.reshape(key, (-1, key.shape[2], key.shape[1]))"},
    scoring=lambda query, key: query @ key.reshape(key.shape[0], key.shape[2], key.shape[1]),
)
mistake(
    "attends-over-features",
    "The scores are (d_model, d_model): features attend to features. Positions attend to positions, so the "
    "key is transposed and not the query: query key^T, (B, T, T).",
    {
        PRODUCT: "ops.matmul(ops.swapaxes(query, 1, 2), key)",
        CONTEXT: "context = ops.matmul(value, ops.swapaxes(weights, 1, 2))",
    },
    scoring=lambda query, key: np.einsum("bti,btj->bij", query, key),
    mixing=lambda weights, value: np.einsum("bij,btj->bti", weights, value),
)
mistake(
    "no-scaling",
    "The scores are not divided by sqrt(d_model).",
    {f" / {ROOT}": ""},
    divisor=lambda d_model, width, length: 1.0,
)
mistake(
    "scaled-without-root",
    "The scores are divided by d_model (or twice by its root); divide once by sqrt(d_model).",
    {ROOT: "self.d_model"},
    divisor=lambda d_model, width, length: d_model,
)
mistake(
    "scaled-by-length",
    "The scores are divided by the root of the sequence length; the width d_model belongs there.",
    {ROOT: "x.shape[1]**0.5"},
    divisor=lambda d_model, width, length: length**0.5,
)
mistake(
    "scaled-by-input-width",
    "The scores are divided by the root of the width of x; query and key have d_model features.",
    {ROOT: "x.shape[-1]**0.5"},
    divisor=lambda d_model, width, length: width**0.5,
)
mistake(
    "root-taken-twice",
    "The root is taken twice, which gives the fourth root: divide by sqrt(d_model).",
    {ROOT: "self.d_model**0.25"},
    divisor=lambda d_model, width, length: d_model**0.25,
)
mistake(
    "multiplied-by-root",
    "The scores are multiplied by sqrt(d_model); divide by it.",
    {f" / {ROOT}": f" * {ROOT}"},
    divisor=lambda d_model, width, length: d_model**-0.5,
)
mistake(
    "scaled-after-softmax",
    "The weights are divided by sqrt(d_model) after the softmax, so they no longer sum to 1. Divide the "
    "scores, before it.",
    {f" / {ROOT}": "", SOFTMAX: f"{SOFTMAX} / {ROOT}"},
    divisor=lambda d_model, width, length: 1.0,
    weighing=lambda scores, allowed: weighed(scores, allowed) / 2,  # the tests' d_model is 4
)

# The softmax

mistake(
    "softmax-over-queries",
    "The softmax runs over the queries (axis -2); the keys are the last axis.",
    {SOFTMAX: "weights = ops.softmax(scores, axis=-2)"},
    weighing=softmax_over(-2),
)
mistake(
    "softmax-over-batch",
    "The softmax runs over the batch (axis 0), so examples influence each other.",
    {SOFTMAX: "weights = ops.softmax(scores, axis=0)"},
    weighing=softmax_over(0),
)
mistake(
    "softmax-over-everything",
    "One softmax runs over the whole matrix of scores; each query (row) needs its own.",
    {SOFTMAX: "weights = ops.softmax(scores, axis=(1, 2))"},
    weighing=softmax_over(None),
)
mistake(
    "no-softmax",
    "The scores mix the values without a softmax.",
    {SOFTMAX: "weights = scores"},
    weighing=lambda scores, allowed: np.where(allowed, scores, 0.0),
)
mistake(
    "no-max-subtraction",
    "exp of large scores overflows: subtract each row's largest score first, or use ops.softmax.",
    {SOFTMAX: "weights = ops.exp(scores) / ops.sum(ops.exp(scores), axis=-1, keepdims=True)"},
    weighing=unstable,
)
mistake(
    "weights-transposed",
    "The weights are transposed before they mix the values: output i is the sum over j of weights[i, j] "
    "times value j.",
    {CONTEXT: "context = ops.matmul(ops.swapaxes(weights, 1, 2), value)"},
    mixing=lambda weights, value: np.einsum("bkq,bkd->bqd", weights, value),
)

# The mask

mistake(
    "mask-inverted",
    "The mask is read the other way round: True (1) means may attend.",
    {CAST: 'mask = ~ops.cast(attention_mask, "bool")'},
    allowing=lambda mask: ~mask,
)
mistake(
    "mask-ignored",
    "The mask has no effect. Did you write 1e-9 for 1e9, or never use it?",
    {MASKING: 'scores = scores + (1.0 - ops.cast(mask, "float32")) * -1e-9', ZEROS: "pass"},
    allowing=lambda mask: None,
)
mistake(
    "mask-transposed",
    "Rows and columns of the mask have changed places: mask[i, j] says whether query i may attend to key "
    "j.",
    {CAST: 'mask = ops.swapaxes(ops.cast(attention_mask, "bool"), -1, -2)'},
    allowing=lambda mask: mask.swapaxes(-1, -2),
)
mistake(
    "mask-too-weak",
    "Forbidden keys get a score that is not low enough, for real scores may be lower still: use -1e9.",
    {MASKING: "scores = ops.where(mask, scores, -3.0)"},
    weighing=lambda scores, allowed: np.where(
        allowed, reference.softmax(np.where(allowed, scores, -3.0)), 0.0
    ),
)
mistake(
    "mask-with-wrong-sign",
    "Forbidden keys get a large positive score, so they take all the weight; it must be negative.",
    {MASKING: 'scores = scores + (1.0 - ops.cast(mask, "float32")) * 1e9', ZEROS: "pass"},
    # In float32, where a score disappears beside 1e9.
    weighing=lambda scores, allowed: reference.softmax(
        scores.astype(np.float32) + ~allowed * np.float32(1e9)
    ),
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
    weighing=lambda scores, allowed: reference.softmax(scores + allowed),
)
mistake(
    "mask-multiplied",
    "The scores are multiplied by the mask: a score of 0 still gets weight. Forbid with a large negative "
    "one.",
    {MASKING: 'scores = scores * ops.cast(mask, "float32")', ZEROS: "pass"},
    weighing=lambda scores, allowed: reference.softmax(scores * allowed),
)
mistake(
    "fully-masked-uniform",
    "A query that may attend to nothing gets equal weights; they must be zero.",
    {ZEROS: "pass"},
    weighing=lambda scores, allowed: reference.softmax(np.where(allowed, scores, -1e9)),
)
mistake(
    "fully-masked-nan",
    "A query that may attend to nothing gives NaN (softmax over -inf alone); its weights must be zero.",
    {MASKING: 'scores = ops.where(mask, scores, -float("inf"))', ZEROS: "pass"},
    weighing=lambda scores, allowed: np.where(
        np.any(allowed, axis=-1, keepdims=True), weighed(scores, allowed), np.nan
    ),
)

# What comes back

mistake(
    "residual-added",
    "x is added to the output. Residual connections belong to the Transformer layer around this one.",
    {OUTPUT: f"{OUTPUT} + x"},
    finishing=lambda output, x: output + x,
)
mistake(
    "raw-scores-returned",
    "The returned scores are those before the softmax; the weights after it are asked for.",
    {
        "scores = ops.matmul": "scores = raw = ops.matmul",
        RETURN: "return (output, raw) if return_attention_scores else output",
    },
    reporting=lambda output, weights, scores, wanted: (output, scores) if wanted else output,
)
mistake(
    "results-swapped",
    "The results are swapped: (output, weights) is asked for.",
    {RETURN: "return (weights, output) if return_attention_scores else output"},
    reporting=lambda output, weights, scores, wanted: (weights, output) if wanted else output,
)
mistake(
    "scores-not-returned",
    "return_attention_scores has no effect: the output alone comes back.",
    {RETURN: "return output"},
    reporting=lambda output, weights, scores, wanted: output,
)
mistake(
    "scores-always-returned",
    "The weights come back without being asked for: return the output alone unless return_attention_scores "
    "is true.",
    {RETURN: "return output, weights"},
    reporting=lambda output, weights, scores, wanted: (output, weights),
)

# Behaviour

exercise.behaviour(
    "built-in-call",
    "A sublayer is built inside call(): it starts with fresh random weights at every call and never "
    "learns. Make all four once, in __init__, as attributes of these names.",
    on=["no-weights", "new-state"],
    wrong={
        QUERY: "query = layers.Dense(self.d_model)(x)",
        'self.query_dense = layers.Dense(d_model, name="query_dense")': "pass",
    },
)
exercise.behaviour(
    "misnamed-sublayers",
    "The sublayers have other names (or stand in a list): the attributes must be called query_dense, "
    "key_dense, value_dense and output_dense.",
    on=["misnamed"],
    wrong={"self.query_dense =": "self.q =", QUERY: "query = self.q(x)"},
)
exercise.behaviour(
    "no-bias",
    "A projection has no bias. The four are plain Dense(d_model), bias included.",
    on=[f"no-weight:{dense}.bias" for dense in DENSE],
    wrong={'Dense(d_model, name="query_dense")': 'Dense(d_model, use_bias=False, name="query_dense")'},
)
exercise.behaviour(
    "wrong-width",
    "A projection does not have d_model features; all four have.",
    wrong={'Dense(d_model, name="value_dense")': 'Dense(2 * d_model, name="value_dense")'},
)
exercise.behaviour(
    "weights-left-over",
    "There are more weights than the kernels and biases of the four Dense layers. Make nothing else that "
    "can be trained.",
    wrong={
        "self.d_model = d_model": "self.d_model = d_model\n        self.spare = layers.Dense(d_model)",
        OUTPUT: f"{OUTPUT} + 0.0 * self.spare(context)",
    },
)
exercise.behaviour(
    "mask-of-one-rank-only",
    "Masks come as (T, T) and as (B, T, T). Both broadcast against the scores (B, T, T) as they are.",
    wrong={MASKING: "scores = ops.where(ops.reshape(mask, scores.shape), scores, -1e9)"},
)
exercise.behaviour(
    "boolean-masks-only",
    "Masks may hold 0 and 1 as well as False and True: cast them to bool.",
    wrong={
        CAST: "mask = ops.convert_to_tensor(attention_mask)\n"
        '            if "bool" not in str(mask.dtype):\n                raise TypeError("no bool")'
    },
)
exercise.behaviour(
    "remembers-mask",
    "The mask of an earlier call is still in force in a call without one.",
    wrong={
        f"        {QUERY}": "        attention_mask = self.__dict__.get('_m') if attention_mask is None "
        f"else attention_mask\n        self.__dict__['_m'] = attention_mask\n        {QUERY}"
    },
)
exercise.behaviour(
    "config-incomplete",
    "get_config leaves out d_model: the layer cannot be built again from it.",
    wrong={', "d_model": self.d_model': ""},
)
exercise.behaviour(
    "no-gradient",
    "A part of the computation leaves Keras (stop_gradient, NumPy, a detour over Python numbers), so "
    "nothing before it can be trained.",
    on=["no-gradient"],
    wrong={KEY: "key = ops.stop_gradient(self.key_dense(x))"},
)
exercise.behaviour(
    "not-compilable",
    "call looks at the values of tensors with Python (if, float, NumPy), which a compiled function cannot.",
    wrong={
        SOFTMAX: f"if float(ops.max(scores)) > 1e8:\n            scores = scores / 2\n        {SOFTMAX}"
    },
)

# The checks


def draw(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return rng.normal(size=shape).astype(np.float32)


def layer_of(submission: Submission, rng: np.random.Generator) -> Any:
    """d_model is 4, for inputs of width 6."""
    return submission.built(NAME, rng, (1, 3, 6), d_model=4)


@exercise.check("one token and two tokens of one feature")
def tiny(submission: Submission, rng: np.random.Generator) -> None:
    layer = submission.built(NAME, rng, (1, 1, 3), d_model=1)
    x = np.round(draw(rng, 1, 2, 3), 1)
    layer.expect(x[:, :1], return_attention_scores=True)
    layer.expect(x, return_attention_scores=True)


@exercise.check("two tokens, a width that stays")
def small(submission: Submission, rng: np.random.Generator) -> None:
    layer = submission.built(NAME, rng, (1, 2, 4), d_model=4)
    x = np.round(draw(rng, 1, 2, 4), 1)
    layer.expect(x)
    layer.expect(x, return_attention_scores=True)


@exercise.check("batches of other lengths, a width that changes")
def batches(submission: Submission, rng: np.random.Generator) -> None:
    layer = layer_of(submission, rng)
    layer.expect(draw(rng, 2, 5, 6), return_attention_scores=True)
    layer.expect(draw(rng, 3, 7, 6), return_attention_scores=True)
    layer.expect(draw(rng, 5, 1, 6))
    layer.expect(draw(rng, 2, 3, 6), return_attention_scores=False)


@exercise.check("masks (B, T, T) and (T, T), boolean or 0 and 1")
def masks(submission: Submission, rng: np.random.Generator) -> None:
    layer = layer_of(submission, rng)
    x = draw(rng, 2, 5, 6)

    def mask(*shape: int) -> np.ndarray:
        allowed = rng.random(size=shape) < 0.5
        allowed[..., 1], allowed[..., 2] = True, False
        return allowed

    def expect(allowed: np.ndarray) -> None:
        layer.expect(x, attention_mask=allowed, return_attention_scores=True)

    expect(mask(2, 5, 5))
    expect(np.ones((2, 5, 5), bool))
    with submission.suspecting("mask-of-one-rank-only"):
        expect(mask(5, 5))
    with submission.suspecting("boolean-masks-only"):
        expect(mask(2, 5, 5).astype(np.int32))
        expect(mask(5, 5).astype(np.int32))
    with submission.suspecting("remembers-mask"):
        layer.expect(x)


@exercise.check("under a causal mask no position sees the future")
def causal(submission: Submission, rng: np.random.Generator) -> None:
    layer = layer_of(submission, rng)
    x, past = draw(rng, 2, 5, 6), np.tri(5, dtype=bool)
    layer.expect(x, past)
    changed = x.copy()
    changed[:, 3:] = draw(rng, 2, 2, 6)
    before, after = layer.output(x, past), layer.output(changed, past)
    if before.shape != after.shape or before.shape[:2] != x.shape[:2]:
        submission.fail(f"Expected two outputs of one shape; received {before.shape} and {after.shape}.")
    if not np.allclose(before[:, :3], after[:, :3], atol=1e-5):
        submission.fail("With tokens 3 and 4 changed, the outputs at the positions 0 to 2 changed.")


@exercise.check("a query that may attend to nothing")
def nothing_allowed(submission: Submission, rng: np.random.Generator) -> None:
    layer = layer_of(submission, rng)
    allowed = np.ones((3, 4, 4), bool)
    allowed[0, 2] = allowed[1] = False
    allowed[2, 3, 1:] = False
    layer.expect(draw(rng, 3, 4, 6), attention_mask=allowed, return_attention_scores=True)


@exercise.check("large scores")
def large(submission: Submission, rng: np.random.Generator) -> None:
    layer = layer_of(submission, rng)
    before = layer.state.weights
    # Numbers that float32 holds: row by row the scores are 128 128 -128, 128 256 -128, -128 -128 128.
    kernels = {f"{role}.kernel": np.eye(6, 4) * 16 for role in ("query_dense", "key_dense")}
    biases = {f"{role}.bias": np.zeros(4) for role in ("query_dense", "key_dense")}
    x = np.zeros((1, 3, 6), np.float32)
    x[0, :, 0], x[0, 1, 1] = [1, 1, -1], 1
    layer.write(kernels | biases)
    try:
        layer.expect(x, return_attention_scores=True)
        layer.expect(x, np.array([[True, False, True], [True, True, True], [True, True, False]]))
    finally:
        layer.write(before)


@exercise.check("eight trainable weights, made once")
def weights_once(submission: Submission, rng: np.random.Generator) -> None:
    layer = layer_of(submission, rng)
    shapes = {path: array.shape for path, array in layer.state.weights.items()}
    if any(shape[-1] != 4 for shape in shapes.values()):
        submission.fail(f"For d_model=4 the weights have the shapes {shapes}.", "wrong-width")
    layer.expect(draw(rng, 2, 7, 6))
    layer.expect(draw(rng, 1, 2, 6))
    trainable = [weight for weight in layer.inventory() if weight.trainable]
    if len(trainable) != 8:
        submission.fail(f"Expected 8 trainable weights; found {len(trainable)}.", "weights-left-over")


@exercise.check("gradients reach all four layers")
def gradients(submission: Submission, rng: np.random.Generator) -> None:
    layer = layer_of(submission, rng)
    allowed = rng.random(size=(2, 4, 4)) < 0.7
    allowed[..., 0] = True
    layer.expect_gradients(rng, draw(rng, 2, 4, 6), attention_mask=allowed)


@exercise.check("get_config, from_config, and saved weights")
def round_trips(submission: Submission, rng: np.random.Generator) -> None:
    layer = layer_of(submission, rng)
    x = draw(rng, 2, 5, 6)
    layer.expect(x)
    with submission.suspecting("config-incomplete"):
        layer.reloaded(x).expect(x)


@exercise.check("under jit_compile, and in fit", costly=True)
def compiled(submission: Submission, rng: np.random.Generator) -> None:
    layer = layer_of(submission, rng)
    x = draw(rng, 2, 5, 6)
    past = np.stack([np.tri(5, dtype=bool)] * 2)
    layer.expect(x, past)
    with submission.suspecting("not-compilable"):
        layer.expect_compiled(x, past)
    # A layer of its own: the training step changes weights.
    layer = submission.new(NAME, d_model=4)
    layer(x)
    layer.randomize(rng)
    with submission.suspecting("not-compilable"):
        layer.expect_fit([x], draw(rng, 2, 5, 4))
