"""What the suites of the encoder and the decoder layer share: mistakes, and where dropout acts.

Both solutions name the output of every sublayer (`Site.output`) and share lines, so that the same edits
make the same mistakes.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from grader import transformer_reference as transformer
from grader.exercise import Exercise
from grader.submission import CheckEnded, LayerState, Submission

# Registers a misconception that is the oracle with some steps replaced: id, explanation, edits, steps.
Mistake = Callable[..., None]


@dataclass(frozen=True)
class Site:
    """One of a layer's sublayers: its name, the norm after it, and what the solution calls its output."""

    sublayer: str
    norm: str
    output: str
    words: str

    @property
    def id(self) -> str:
        """Return the name as it stands in the ids of misconceptions."""
        return self.words.replace(" ", "-")


def at(site: str, wrap: transformer.Wrap) -> transformer.Wrap:
    """Connect one sublayer, named by its norm, in another way; the others as in the paper."""

    def chosen(layer: LayerState, name: str, sublayer: transformer.Sublayer, x: np.ndarray) -> np.ndarray:
        return (wrap if name == site else transformer.post_norm)(layer, name, sublayer, x)

    return chosen


def no_residual(layer: LayerState, name: str, sublayer: transformer.Sublayer, x: np.ndarray) -> np.ndarray:
    """The norm of the sublayer's output alone."""
    return transformer.layer_norm(layer, name, sublayer(x))


def norm_inside(layer: LayerState, name: str, sublayer: transformer.Sublayer, x: np.ndarray) -> np.ndarray:
    """The norm before the sum."""
    return x + transformer.layer_norm(layer, name, sublayer(x))


def wide_epsilon(layer: LayerState, name: str, sublayer: transformer.Sublayer, x: np.ndarray) -> np.ndarray:
    """Keras's own epsilon."""
    return transformer.layer_norm(layer, name, x + sublayer(x), epsilon=1e-3)


def batch_norm(layer: LayerState, name: str, sublayer: transformer.Sublayer, x: np.ndarray) -> np.ndarray:
    """Batch normalisation before any training: its means are 0 and its variances 1."""
    return layer[f"{name}.gamma"] * (x + sublayer(x)) / math.sqrt(1 + 1e-6) + layer[f"{name}.beta"]


def gelu(x: np.ndarray) -> np.ndarray:
    """Return x times the normal distribution's cumulative function."""
    return x * 0.5 * (1.0 + np.vectorize(math.erf)(x / math.sqrt(2.0)))


def feeding(**steps: Any) -> Callable[..., np.ndarray]:
    """The feed-forward network with steps replaced."""

    def feed(layer: LayerState, x: np.ndarray) -> np.ndarray:
        return transformer.feed_forward(layer, x, **steps)

    return feed


INNER = 'layers.Dense(d_ff, activation="relu", name="ffn_inner")'
OUTER = 'layers.Dense(d_model, name="ffn_outer")'
# What stands in the parentheses of MultiHeadAttention.
SELF_ATTENTION = 'num_heads, d_model // num_heads, name="self_attention"'
HIDDEN = "hidden = self.ffn_inner(x)"
TRANSFORMED = "transformed = self.ffn_outer(hidden)"


def made(norm: str) -> str:
    """How the solution makes a norm."""
    return f'layers.LayerNormalization(epsilon=1e-6, name="{norm}")'


def joined(site: Site) -> str:
    """How the solution adds a sublayer's output to the residual."""
    return f"self.{site.norm}(x + {site.output})"


def dropped(site: Site) -> str:
    """How the solution drops a sublayer's output."""
    return f"self.{site.norm.removesuffix('_norm')}_dropout({site.output}, training=training)"


def add_shared_mistakes(exercise: Exercise, mistake: Mistake, sites: Sequence[Site]) -> None:
    """Register the misconceptions that both suites have."""
    _residuals_and_norms(exercise, mistake, sites)
    _feed_forward(exercise, mistake)
    _constructor(exercise, sites)
    _dropout(exercise, sites)
    _keras(exercise)


def _residuals_and_norms(exercise: Exercise, mistake: Mistake, sites: Sequence[Site]) -> None:
    every = [joined(site) for site in sites]
    mistake(
        "no-residuals",
        "The residual connections are missing: each norm gets x plus what the sublayer returns.",
        {text: text.replace("x + ", "") for text in every},
        wrap=no_residual,
    )
    mistake(
        "norm-inside-residual",
        "The norms act on what the sublayers return, and x is added after them: add first, then normalise.",
        {f"self.{site.norm}(x + {site.output})": f"x + self.{site.norm}({site.output})" for site in sites},
        wrap=norm_inside,
    )
    mistake(
        "norm-epsilon",
        "The norms' epsilon is not 1e-6. Keras's default, 1e-3, tells where features hardly differ.",
        {made(site.norm): "layers.LayerNormalization()" for site in sites},
        wrap=wide_epsilon,
    )
    mistake(
        "batch-norm",
        "BatchNormalization takes each feature's mean over the batch; LayerNormalization takes each "
        "position's over its features.",
        {made(site.norm): "layers.BatchNormalization(epsilon=1e-6)" for site in sites},
        wrap=batch_norm,
    )
    for site in sites:
        mistake(
            f"no-residual-around-{site.id}",
            f"The residual connection around the {site.words} is missing: its norm gets x plus its output.",
            {joined(site): f"self.{site.norm}({site.output})"},
            wrap=at(site.norm, no_residual),
        )
        mistake(
            f"{site.norm.replace('_', '-')}-epsilon",
            f"The epsilon of {site.norm} is Keras's default, 1e-3; it is 1e-6.",
            {made(site.norm): made(site.norm).replace("epsilon=1e-6, ", "")},
            wrap=at(site.norm, wide_epsilon),
        )
        exercise.behaviour(
            f"{site.norm.replace('_', '-')}-unused",
            f"{site.norm} is made but never called. Every sublayer ends with a norm of its own, the "
            f"{site.words} with {site.norm}.",
            on=[f"unused:{site.norm}"],
            wrong={joined(site): f"x + {site.output}"},
        )
    exercise.behaviour(
        "norm-over-positions",
        "The norms take their means over the positions; LayerNormalization takes them over the features, "
        "its default axis, so gamma and beta hold d_model numbers.",
        wrong={made(sites[0].norm): "layers.LayerNormalization(axis=1, epsilon=1e-6)"},
    )


def _feed_forward(exercise: Exercise, mistake: Mistake) -> None:
    mistake(
        "no-relu",
        "The relu of ffn_inner is missing: without it the two Dense layers are no more than one.",
        {INNER: 'layers.Dense(d_ff, name="ffn_inner")'},
        feed=feeding(activation=lambda x: x),
    )
    mistake(
        "gelu-for-relu",
        "ffn_inner has the activation gelu, as in BERT; here, and in the paper, it is relu.",
        {INNER: INNER.replace("relu", "gelu")},
        feed=feeding(activation=gelu),
    )
    mistake(
        "relu-on-both",
        "ffn_outer has a relu too, so it can only add to the residual; only ffn_inner has one.",
        {OUTER: OUTER.replace("d_model,", 'd_model, activation="relu",')},
        feed=feeding(ending=transformer.relu),
    )
    mistake(
        "relu-on-outer",
        "The relu is on ffn_outer; it belongs on ffn_inner, between the two Dense layers.",
        {
            INNER: 'layers.Dense(d_ff, name="ffn_inner")',
            OUTER: OUTER.replace("d_model,", 'd_model, activation="relu",'),
        },
        feed=feeding(activation=lambda x: x, ending=transformer.relu),
    )
    exercise.behaviour(
        "feed-forward-skipped",
        "ffn_inner is made, but call() does not use it: the feed-forward network is ffn_outer of ffn_inner "
        "(another Dense layer built inside call() has fresh weights at every call).",
        on=["unused:ffn_inner"],
        wrong={HIDDEN: "hidden = x"},
    )


def _constructor(exercise: Exercise, sites: Sequence[Site]) -> None:
    exercise.behaviour(
        "key-width-is-d-model",
        "Every head is d_model wide. The second argument of MultiHeadAttention is the width of one head: "
        "d_model // num_heads.",
        wrong={SELF_ATTENTION: 'num_heads, d_model, name="self_attention"'},
    )
    exercise.behaviour(
        "wrong-number-of-heads",
        "MultiHeadAttention does not get num_heads heads of width d_model // num_heads: first comes the "
        "number of heads, then the width of one.",
        wrong={
            SELF_ATTENTION: SELF_ATTENTION.replace(
                "num_heads, d_model // num_heads", "d_model // num_heads, num_heads"
            )
        },
    )
    exercise.behaviour(
        "d-ff-ignored",
        "ffn_inner does not have d_ff features.",
        wrong={INNER: INNER.replace("d_ff", "4 * d_model")},
    )
    exercise.behaviour(
        "no-bias",
        "A bias is missing: the attention's projections and both Dense layers have one, Keras's default.",
        on=[f"no-weight:{path}" for path in exercise.weights[exercise.implements[0]] if ".bias" in path],
        wrong={SELF_ATTENTION: SELF_ATTENTION.replace("name", "use_bias=False, name")},
    )
    exercise.behaviour(
        "norm-without-scale-or-shift",
        "A norm has no gamma or no beta: leave scale and center at Keras's default.",
        on=[f"no-weight:{site.norm}.{kind}" for site in sites for kind in ("gamma", "beta")],
        wrong={made(sites[-1].norm): made(sites[-1].norm).replace("(", "(center=False, ")},
    )
    exercise.behaviour(
        "no-divisibility-check",
        "A d_model that num_heads does not divide must raise ValueError in the constructor; "
        "MultiHeadAttention(num_heads, d_model // num_heads) takes it without a word.",
        on=["no-error"],
        wrong={"if d_model % num_heads:": "if False:"},
    )


def _dropout(exercise: Exercise, sites: Sequence[Site]) -> None:
    outputs = [dropped(site) for site in sites]
    exercise.behaviour(
        "dropout-at-inference",
        "Dropout acts outside training too: pass `training` on to the Dropout layers.",
        wrong={text: text.replace("=training", "=True") for text in outputs},
    )
    exercise.behaviour(
        "no-dropout",
        "Nothing is dropped in training: dropout acts on what each sublayer returns.",
        wrong={text: site.output for text, site in zip(outputs, sites, strict=True)},
    )
    for text, site in zip(outputs, sites, strict=True):
        exercise.behaviour(
            f"no-dropout-after-{site.id}",
            f"The output of the {site.words} is not dropped in training.",
            wrong={text: site.output},
        )
    exercise.behaviour(
        "dropout-on-attention-weights",
        "The attention weights are dropped: leave the dropout of MultiHeadAttention at 0 and drop what it "
        "returns.",
        wrong={SELF_ATTENTION: SELF_ATTENTION.replace("name", "dropout=dropout, name")},
    )
    exercise.behaviour(
        "dropout-inside-feed-forward",
        "What ffn_inner returns is dropped; only what the whole feed-forward network returns is.",
        wrong={TRANSFORMED: "transformed = self.ffn_outer(self.ffn_dropout(hidden, training=training))"},
    )
    last = sites[-1]
    exercise.behaviour(
        "dropout-misplaced",
        "Dropout acts on something else than what a sublayer returns: on what goes into it, on the sum "
        "with the residual, or on what a norm returns.",
        wrong={
            outputs[-1]: last.output,
            joined(last): f"self.{last.norm}(self.ffn_dropout(x + {last.output}, training=training))",
        },
    )
    exercise.behaviour(
        "dropout-rate-ignored",
        "The rate is not the constructor's `dropout`: it is the share that is dropped, 0 drops nothing.",
        wrong={
            f"layers.Dropout(dropout, name={name!r})".replace("'", '"'): "layers.Dropout(0.1)"
            for name in (f"{site.norm.removesuffix('_norm')}_dropout" for site in sites)
        },
    )
    exercise.behaviour(
        "dropout-frozen",
        "Every call drops the same: a seed that is a number makes keras.random.dropout repeat itself.",
        wrong={
            text: f"keras.random.dropout({name}, self.dropout, seed=1) if training else {name}"
            for text, name in zip(outputs, [site.output for site in sites], strict=True)
        },
    )


def _keras(exercise: Exercise) -> None:
    exercise.behaviour(
        "built-in-call",
        "A sublayer is missing after a call: it was never made, or built inside call(), where it starts "
        "with fresh random weights at every call. Make every sublayer once, in __init__.",
        on=["no-weights", "new-state"],
        wrong={
            HIDDEN: 'hidden = layers.Dense(self.d_ff, activation="relu")(x)',
            f"self.ffn_inner = {INNER}": "pass",
        },
    )
    exercise.behaviour(
        "misnamed-sublayers",
        "A sublayer has another name (or stands in a list or a Sequential): the attributes must be called "
        "as the task says.",
        on=["misnamed"],
        wrong={f"self.ffn_inner = {INNER}": f"self.ffn1 = {INNER}", HIDDEN: "hidden = self.ffn1(x)"},
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
        wrong={TRANSFORMED: "transformed = keras.ops.stop_gradient(self.ffn_outer(hidden))"},
    )
    exercise.behaviour(
        "not-compilable",
        "call looks at the values of tensors with Python (if, float, NumPy), which a compiled "
        "function cannot.",
        wrong={HIDDEN: f"if float(keras.ops.max(x)) > 1e8:\n            x = x / 2\n        {HIDDEN}"},
    )


# Checks


_TELLING = {
    "multiple values for argument 'query_mask'": "mask-by-position",
    "truth value of an array": "mask-in-if",
}


@contextlib.contextmanager
def named_errors() -> Iterator[None]:
    """Name the exceptions that tell a mistake by their words."""
    try:
        yield
    except CheckEnded as ended:
        for words, misconception in _TELLING.items():
            if words in ended.message:
                raise CheckEnded(ended.status, ended.message, misconception) from None
        raise


def built(submission: Submission, name: str, rng: np.random.Generator, *inputs: Any, **config: Any) -> Any:
    """As `Submission.built`, with named exceptions."""
    with named_errors():
        return submission.built(name, rng, *inputs, **config)


def expect_shapes(submission: Submission, layer: Any, sites: Sequence[Site]) -> None:
    """Require weights of the sizes that the constructor's arguments ask for."""
    config = layer.state.config
    sizes = {name: config[name] for name in ("d_model", "num_heads", "d_ff")}
    for path, wanted in transformer.shapes(layer.paths, **sizes).items():
        shape = layer.state[path].shape
        if shape == wanted:
            continue
        named = None
        if path.startswith("ffn_inner") and shape[-1] != sizes["d_ff"]:
            named = "d-ff-ignored"
        elif path.partition(".")[0] in [site.norm for site in sites]:
            named = "norm-over-positions"
        elif "attention." in path:
            wide = shape[-1] == sizes["d_model"]
            named = "key-width-is-d-model" if wide else "wrong-number-of-heads"
        asked = ", ".join(f"{name}={size}" for name, size in sizes.items())
        submission.fail(f"With {asked} the shape of {path} is {wanted}; found {shape}.", named)


def expect_weights(submission: Submission, layer: Any, count: int) -> None:
    """Require a number of trainable weights, after several calls."""
    trainable = [weight for weight in layer.inventory() if weight.trainable]
    if len(trainable) < count:
        message = f"Expected {count} trainable weights; found {len(trainable)}."
        submission.fail(f"{message} Has one sublayer two names?")
    if len(trainable) > count:
        message = f"Expected {count} trainable weights after three calls; found {len(trainable)}."
        submission.fail(message)


def with_little_spread(layer: Any, sites: Sequence[Site]) -> Mapping[str, np.ndarray]:
    """Weights under which small inputs stay small until the last norm, so that every epsilon shows."""
    quiet = {
        path: np.zeros_like(value)
        for path, value in layer.state.weights.items()
        if path.endswith(("bias", "beta"))
    }
    for site in sites[:-1]:
        quiet[f"{site.norm}.gamma"] = 2e-3 * layer.state[f"{site.norm}.gamma"]
    return quiet


_LEVEL = 3.0  # what the first feature of the residual holds, and the second with the other sign


def landmark(*shape: int) -> np.ndarray:
    """States (..., D) whose first two features are known and whose others are 0."""
    states = np.zeros(shape, np.float32)
    states[..., 0], states[..., 1] = _LEVEL, -_LEVEL
    return states


def _output(state: LayerState, sublayer: str, says: str) -> dict[str, np.ndarray]:
    """Weights that fix what a sublayer returns: "nothing", "ones" or its "own" numbers.

    It is always 0 at the first two features. Of "ones" every attention weight, and every hidden feature,
    has an equal share, so that dropping some of them shows.
    """
    feed_forward = sublayer == "ffn"
    last = "ffn_outer" if feed_forward else f"{sublayer}.output_dense"
    kernel, bias = state[f"{last}.kernel"].copy(), state[f"{last}.bias"].copy()
    if says == "own":
        kernel[..., :2] = bias[:2] = 0.0
        return {f"{last}.kernel": kernel, f"{last}.bias": bias}
    kernel[...] = bias[...] = 0.0
    values = {f"{last}.kernel": kernel, f"{last}.bias": bias}
    if says == "ones":
        ending = kernel if feed_forward else kernel[0]  # one head is enough
        ending[:, 2:] = 1 / len(ending)
        first = "ffn_inner" if feed_forward else f"{sublayer}.value_dense"
        values[f"{first}.kernel"] = np.zeros_like(state[f"{first}.kernel"])
        values[f"{first}.bias"] = np.ones_like(state[f"{first}.bias"])
    return values


def _only(state: LayerState, sites: Sequence[Site], chosen: Site, says: str) -> dict[str, np.ndarray]:
    """Weights under which the output tells what one sublayer adds to the landmark."""
    values = dict(state.weights)
    before: Site | None = None
    for site in sites:
        values |= _output(state, site.sublayer, says if site == chosen else "nothing")
        gamma, beta = state[f"{site.norm}.gamma"], state[f"{site.norm}.beta"]
        values |= {f"{site.norm}.gamma": np.ones_like(gamma), f"{site.norm}.beta": np.zeros_like(beta)}
        if site == chosen and before is not None:
            values[f"{before.norm}.gamma"] = np.zeros_like(gamma)
            values[f"{before.norm}.beta"] = landmark(*beta.shape)
        before = site
    return values


def _added(output: np.ndarray, states: np.ndarray) -> np.ndarray:
    """What was added to states, from a normalised output: the first two features give its scale."""
    high, low = output[..., :1], output[..., 1:2]
    with np.errstate(all="ignore"):
        return (output[..., 2:] - (high + low) / 2) / ((high - low) / (2 * _LEVEL)) - states[..., 2:]


def expect_dropout(
    submission: Submission, layer: Any, sites: Sequence[Site], rate: float, *inputs: np.ndarray
) -> None:
    """Require that training drops each sublayer's output at a rate, and nothing else.

    The first input is x. Writes weights: the layer must not be needed any more.
    """
    state, marked = layer.state, landmark(*inputs[0].shape)
    _drops_outputs(submission, layer, sites, rate, marked, *inputs[1:])
    states = np.concatenate([marked[..., :2], inputs[0][..., 2:]], axis=-1)
    for site in sites:
        layer.write(_only(state, sites, site, "own"))
        entered = states if site == sites[0] else marked
        plain = _added(layer.expect(states, *inputs[1:]), entered)
        trained = _added(layer.output(states, *inputs[1:], training=True), entered)
        strong = np.abs(plain) > 0.1
        ratios = trained[strong] / plain[strong]
        # Dropping what goes into a sublayer changes all that it returns.
        if not np.all((np.abs(ratios) < 0.02) | (np.abs(ratios - 1 / (1 - rate)) < 0.02)):
            message = f"With dropout={rate} in training, the {site.words} returned something else."
            submission.fail(message, "dropout-misplaced")


def _drops_outputs(
    submission: Submission, layer: Any, sites: Sequence[Site], rate: float, *inputs: np.ndarray
) -> None:
    """Require that what each sublayer returns is dropped at the rate. The first input is the landmark."""
    state = layer.state
    seen: list[tuple[Site, np.ndarray, np.ndarray]] = []
    for site in sites:
        layer.write(_only(state, sites, site, "ones"))
        with submission.suspecting("dropout-at-inference"):
            layer.expect(*inputs, training=False)
            layer.expect(*inputs)
        first, second = (layer.output(*inputs, training=True) for _ in range(2))
        if {first.shape, second.shape} != {inputs[0].shape}:
            submission.fail(f"In training the output must have the shape {inputs[0].shape}.")
        seen.append((site, _added(first, inputs[0]), _added(second, inputs[0])))
    if all(np.allclose(first, 1, atol=0.02) for _, first, _ in seen):
        submission.fail(f"With dropout={rate} training and inference give the same.", "no-dropout")
    for site, first, second in seen:
        _judge_dropout(submission, site, rate, first)
        if np.array_equal(first, second):
            submission.fail("Two calls in training dropped the same.", "dropout-frozen")


def _judge_dropout(submission: Submission, site: Site, rate: float, added: np.ndarray) -> None:
    """Require that each number the sublayer returned, all of them 1, is now 0 or 1 / (1 - rate)."""
    kept = np.abs(added) > 0.05
    levels = np.max(np.abs(added), axis=-1, keepdims=True)
    told = f"With dropout={rate} in training, the {site.words}:"
    if not np.all(np.isfinite(added)) or np.any(np.abs(added - kept * levels) > 0.02):
        message = "numbers other than those it returned were dropped."
        submission.fail(f"{told} {message}", "dropout-misplaced")
    levels = levels[np.any(kept, axis=-1)]
    if not levels.size:
        submission.fail(f"{told} all that it returned was dropped.", "dropout-rate-ignored")
    if np.ptp(levels) > 0.02:
        feeding = site.sublayer == "ffn"
        named = "dropout-inside-feed-forward" if feeding else "dropout-on-attention-weights"
        submission.fail(f"{told} something was dropped before it returned.", named)
    share, factor = 1 - float(np.mean(kept)), float(np.mean(levels))
    if share == 0:
        submission.fail(f"{told} nothing it returned was dropped.", f"no-dropout-after-{site.id}")
    # Hoeffding: a right layer fails here with probability below 1e-6.
    bound = math.sqrt(math.log(2e6) / (2 * kept.size))
    if abs(factor - 1 / (1 - rate)) > 0.02 or abs(share - rate) > bound:
        message = f"{share:.0%} of its numbers were dropped, the others became {factor:.3g} times as large."
        rescaled = abs(factor * (1 - share) - 1) < 0.1
        submission.fail(f"{told} {message}", "dropout-rate-ignored" if rescaled else None)
