"""The Transformer's encoder layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from grader import transformer_checks as shared
from grader import transformer_reference as transformer
from grader.exercise import Exercise
from grader.submission import LayerState, Submission
from grader.transformer_checks import Site

NAME = "TransformerEncoderLayer"
ATTENTION = Site("self_attention", "attention_norm", "attended", "attention")
FEED_FORWARD = Site("ffn", "ffn_norm", "transformed", "feed-forward network")
SITES = (ATTENTION, FEED_FORWARD)
SIZES = {"d_model": 12, "num_heads": 3, "d_ff": 7}

exercise = Exercise(
    number=25,
    title="The Transformer's encoder layer",
    kind="keras",
    part="Keras layers and Transformers",
    implements=[NAME],
    outputs={NAME: ("output",)},
    weights={NAME: transformer.ENCODER_PATHS},
    lesson="11_transformer#exercise-25-the-encoder-layer",
    minutes=30,
    difficulty=2,
    seconds=20.0,
    forbidden=["tensorflow*", "torch*", "jax*"],
    hints=[
        "Two sublayers, and around each of them the same three steps: drop what it returned, add what went "
        "into it, normalise the sum. Make every layer in __init__, call it in call().",
        "What the first norm returns is what the feed-forward network reads, and what is added to its "
        "output: write it back to x. The mask goes to self_attention by its name, attention_mask=...; the "
        "second argument of MultiHeadAttention is the width of one head, and the norms' epsilon is not "
        "Keras's default.",
        "x = attention_norm(x + dropout(self_attention(x, x, attention_mask=attention_mask), "
        "training=training)); return ffn_norm(x + dropout(ffn_outer(ffn_inner(x)), training=training)).",
    ],
)

exercise.oracle(NAME)(transformer.encoder_layer)


def mistake(
    id: str, explanation: str, wrong: Mapping[str, str], on: Sequence[str] = (), **steps: Any
) -> None:
    """Register a misconception that is the oracle with some steps replaced."""

    def function(layer: LayerState, *args: Any, **kwargs: Any) -> np.ndarray:
        return transformer.encoder_layer(layer, *args, **kwargs, **steps)

    exercise.misconception(id, explanation, wrong=wrong, on=on)(function)


def rewired(id: str, explanation: str, wrong: Mapping[str, str], end: Any) -> None:
    """Register a misconception that connects the right sublayers in another way.

    `end` gets the norms and the feed-forward network as functions, x, and what the attention makes of x.
    """

    def function(layer: LayerState, x: np.ndarray, attention_mask: Any = None, training: Any = None) -> Any:
        def norm(states: np.ndarray) -> np.ndarray:
            return transformer.layer_norm(layer, "attention_norm", states)

        def last_norm(states: np.ndarray) -> np.ndarray:
            return transformer.layer_norm(layer, "ffn_norm", states)

        def feed(states: np.ndarray) -> np.ndarray:
            return transformer.feed_forward(layer, states)

        attended = transformer.attention(layer, "self_attention", x, x, mask=attention_mask)
        return end(norm, last_norm, feed, x, attended)

    exercise.misconception(id, explanation, wrong=wrong)(function)


def attending(masking: Any) -> Any:
    """Attention with another mask: a function of the mask given and the length."""

    def attend(layer: LayerState, name: str, query: np.ndarray, value: np.ndarray, mask: Any) -> np.ndarray:
        return transformer.attention(layer, name, query, value, mask=masking(mask, query.shape[1]))

    return attend


ATTEND = "attended = self.self_attention(x, x, attention_mask=attention_mask)"
JOIN = "x = self.attention_norm(x + attended)"
RETURN = "return self.ffn_norm(x + transformed)"
OUTER = "transformed = self.ffn_outer(hidden)"

mistake(
    "pre-norm",
    "The norms stand before the sublayers (pre-norm); here, as in the paper, they follow the sum: "
    "LayerNorm(x + sublayer(x)).",
    {
        ATTEND: "normed = self.attention_norm(x)\n"
        "        attended = self.self_attention(normed, normed, attention_mask=attention_mask)",
        JOIN: "x = x + attended",
        shared.HIDDEN: "hidden = self.ffn_inner(self.ffn_norm(x))",
        RETURN: "return x + transformed",
    },
    wrap=transformer.pre_norm,
)
mistake(
    "mask-ignored",
    "attention_mask has no effect: pass it on to self_attention.",
    {ATTEND: "attended = self.self_attention(x, x)"},
    attend=attending(lambda mask, length: None),
)
mistake(
    "mask-inverted",
    "The attention mask is read the other way round: True (1) means may attend.",
    {
        ATTEND: "if attention_mask is not None:\n"
        '            attention_mask = ~keras.ops.cast(attention_mask, "bool")\n'
        f"        {ATTEND}"
    },
    attend=attending(lambda mask, length: None if mask is None else ~np.asarray(mask, bool)),
)
mistake(
    "mask-transposed",
    "The mask is transposed: its rows are the positions that attend, its columns those attended to.",
    {
        ATTEND: "if attention_mask is not None:\n"
        "            attention_mask = keras.ops.swapaxes(attention_mask, -1, -2)\n"
        f"        {ATTEND}"
    },
    attend=attending(lambda mask, length: None if mask is None else np.swapaxes(mask, -1, -2)),
)
mistake(
    "causal-encoder",
    "The self-attention is causal. That is the decoder's: in an encoder every position may see all others.",
    {ATTEND: ATTEND.replace("attention_mask=a", "use_causal_mask=True, attention_mask=a")},
    attend=attending(
        lambda mask, length: (
            transformer.causal_mask(length) & (True if mask is None else np.asarray(mask, bool))
        )
    ),
)
rewired(
    "norms-swapped",
    "The norms are swapped: attention_norm follows the attention, ffn_norm the feed-forward network.",
    {JOIN: "x = self.ffn_norm(x + attended)", RETURN: "return self.attention_norm(x + transformed)"},
    lambda norm, last_norm, feed, x, attended: norm(
        last_norm(x + attended) + feed(last_norm(x + attended))
    ),
)
rewired(
    "norm-shared",
    "Both norms are one layer with one gamma and one beta; each sublayer's norm has its own.",
    {f"self.ffn_norm = {shared.made('ffn_norm')}": "self.ffn_norm = self.attention_norm"},
    # Both names lead to the same weights, so what was assigned last holds for both.
    lambda norm, last_norm, feed, x, attended: last_norm(
        last_norm(x + attended) + feed(last_norm(x + attended))
    ),
)
rewired(
    "ffn-residual-from-input",
    "The feed-forward network's output is added to the layer's input; add what the network itself reads, "
    "the output of attention_norm.",
    {ATTEND: f"inputs = x\n        {ATTEND}", RETURN: "return self.ffn_norm(inputs + transformed)"},
    lambda norm, last_norm, feed, x, attended: last_norm(x + feed(norm(x + attended))),
)
rewired(
    "ffn-residual-before-norm",
    "The feed-forward network's output is added to the sum before attention_norm; add the norm's output.",
    {JOIN: f"total = x + attended\n        {JOIN}", RETURN: "return self.ffn_norm(total + transformed)"},
    lambda norm, last_norm, feed, x, attended: last_norm(x + attended + feed(norm(x + attended))),
)
rewired(
    "ffn-residual-from-attention",
    "The feed-forward network's output is added to the attention's; add what the network itself reads, the "
    "output of attention_norm.",
    {RETURN: "return self.ffn_norm(attended + transformed)"},
    lambda norm, last_norm, feed, x, attended: last_norm(attended + feed(norm(x + attended))),
)
rewired(
    "ffn-reads-input",
    "The feed-forward network reads the layer's input; it reads the output of attention_norm.",
    {ATTEND: f"inputs = x\n        {ATTEND}", shared.HIDDEN: "hidden = self.ffn_inner(inputs)"},
    lambda norm, last_norm, feed, x, attended: last_norm(norm(x + attended) + feed(x)),
)
rewired(
    "residuals-merged",
    "The two residual connections are merged into one sum at the end; each sublayer has one of its own.",
    {
        JOIN: "attended = self.attention_norm(attended)",
        shared.HIDDEN: "hidden = self.ffn_inner(attended)",
        RETURN: "return self.ffn_norm(x + attended + transformed)",
    },
    lambda norm, last_norm, feed, x, attended: last_norm(x + norm(attended) + feed(norm(attended))),
)
exercise.behaviour(
    "attention-skipped",
    "self_attention is made, but call() does not use it (another one built inside call() has fresh weights "
    "at every call).",
    on=["unused:self_attention.query_dense"],
    wrong={ATTEND: "attended = x"},
)
exercise.behaviour(
    "mask-by-position",
    "The mask is passed by its position, as in older examples. By position the fourth argument of "
    "MultiHeadAttention is query_mask: write attention_mask=attention_mask.",
    wrong={ATTEND: "attended = self.self_attention(x, x, x, attention_mask)"},
)
exercise.behaviour(
    "mask-in-if",
    "An if asks for the truth of a whole mask, which has none; self_attention takes None too.",
    wrong={ATTEND: f"attention_mask = attention_mask if attention_mask else None\n        {ATTEND}"},
)
exercise.behaviour(
    "mask-reshaped",
    "attention_mask is (B, T, T) or (T, T), as self_attention takes it: no axis has to be added.",
    wrong={
        ATTEND: "if attention_mask is not None:\n"
        "            attention_mask = keras.ops.cast(attention_mask, 'bool')[:, None, None, :]\n"
        f"        {ATTEND}"
    },
)
shared.add_shared_mistakes(exercise, mistake, SITES)


def draw(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return rng.normal(size=shape).astype(np.float32)


def layer_of(submission: Submission, rng: np.random.Generator) -> Any:
    """Three heads of width 4 on states of width 12, without dropout."""
    return shared.built(submission, NAME, rng, (2, 5, 12), **SIZES, dropout=0.0)


def random_mask(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Every position may attend to some, and not to all."""
    mask = rng.random(size=shape) < 0.5
    mask[..., 1], mask[..., 2] = True, False
    return mask


@exercise.check("the weights have the sizes that d_model, num_heads and d_ff ask for")
def sizes(submission: Submission, rng: np.random.Generator) -> None:
    shared.expect_shapes(submission, layer_of(submission, rng), SITES)


@exercise.check("one sequence of two positions")
def small(submission: Submission, rng: np.random.Generator) -> None:
    layer = shared.built(submission, NAME, rng, (1, 2, 6), d_model=6, num_heads=2, d_ff=5, dropout=0.0)
    layer.expect(np.round(draw(rng, 1, 2, 6), 1))


@exercise.check("batches of several lengths")
def batches(submission: Submission, rng: np.random.Generator) -> None:
    layer = layer_of(submission, rng)
    layer.expect(draw(rng, 2, 5, 12))
    layer.expect(draw(rng, 4, 1, 12))
    layer.expect(draw(rng, 3, 8, 12))


@exercise.check("an attention mask, (B, T, T) or (T, T), boolean or 0 and 1")
def masks(submission: Submission, rng: np.random.Generator) -> None:
    layer = layer_of(submission, rng)
    x = draw(rng, 2, 5, 12)
    layer.expect(x)
    with shared.named_errors(), submission.suspecting("mask-reshaped"):
        layer.expect(x, random_mask(rng, 2, 5, 5))
        layer.expect(x, attention_mask=random_mask(rng, 5, 5))
        layer.expect(x, attention_mask=random_mask(rng, 2, 5, 5).astype(np.int32))


@exercise.check("a position that may attend to nothing gives finite numbers")
def nothing_allowed(submission: Submission, rng: np.random.Generator) -> None:
    layer = layer_of(submission, rng)
    mask = random_mask(rng, 2, 5, 5)
    mask[0, 3] = mask[1, 0] = False
    free = ~np.any(mask, axis=-1, keepdims=True)
    x = draw(rng, 2, 5, 12)
    layer.expect(x)
    with shared.named_errors(), submission.suspecting("mask-reshaped"):
        layer.output(x, attention_mask=mask)
        # What comes out there is free: it has no effect on the other positions.
        layer.expect_viewed(
            lambda output: np.where(free, np.zeros_like(output), output), x, attention_mask=mask
        )


@exercise.check("states whose features hardly differ")
def little_spread(submission: Submission, rng: np.random.Generator) -> None:
    layer = layer_of(submission, rng)
    x = draw(rng, 2, 5, 12)
    layer.expect(x)
    before = layer.state.weights
    layer.write(shared.with_little_spread(layer, SITES))
    try:
        with submission.suspecting("norm-epsilon"):
            layer.expect(2e-3 * x)
    finally:
        layer.write(before)


@exercise.check("16 trainable weights, made once")
def weights_once(submission: Submission, rng: np.random.Generator) -> None:
    layer = layer_of(submission, rng)
    layer(draw(rng, 2, 4, 12))
    layer(draw(rng, 1, 7, 12))
    shared.expect_weights(submission, layer, 16)
    layer.expect(draw(rng, 3, 4, 12))


@exercise.check("in training a dropout of 0 changes nothing")
def no_rate(submission: Submission, rng: np.random.Generator) -> None:
    layer = layer_of(submission, rng)
    x = draw(rng, 2, 5, 12)
    layer.expect(x, training=False)
    with submission.suspecting("dropout-rate-ignored"):
        layer.expect(x, training=True)


@exercise.check("dropout on both sublayers' outputs, in training only")
def dropout(submission: Submission, rng: np.random.Generator) -> None:
    layer_of(submission, rng).expect(draw(rng, 2, 5, 12))
    config = {"d_model": 16, "num_heads": 2, "d_ff": 11, "dropout": 0.25}
    layer = shared.built(submission, NAME, rng, (2, 6, 16), **config)
    x = draw(rng, 2, 6, 16)
    with submission.suspecting("dropout-at-inference"):
        layer.expect(x)
        layer.expect(x, training=False)
    shared.expect_dropout(submission, layer, SITES, 0.25, draw(rng, 24, 6, 16))


@exercise.check("gradients reach every weight")
def gradients(submission: Submission, rng: np.random.Generator) -> None:
    layer = layer_of(submission, rng)
    with shared.named_errors():
        layer.expect_gradients(rng, draw(rng, 2, 5, 12), attention_mask=random_mask(rng, 2, 5, 5))


@exercise.check("get_config, from_config, and saved weights")
def round_trips(submission: Submission, rng: np.random.Generator) -> None:
    layer = layer_of(submission, rng)
    x = draw(rng, 2, 5, 12)
    layer.expect(x)
    with submission.suspecting("dropout-rate-ignored"):
        layer.expect(x, training=True)
    with submission.suspecting("config-incomplete"):
        reloaded = layer.reloaded(x)
        reloaded.expect(x)
        reloaded.expect(x, training=True)  # the rate is 0, and not the default


@exercise.check("d_model must be divisible by num_heads")
def divisible(submission: Submission, rng: np.random.Generator) -> None:
    submission.expect_new_error(NAME, "ValueError", d_model=10, num_heads=4, d_ff=7)


@exercise.check("under jit_compile, and in fit", costly=True)
def compiled(submission: Submission, rng: np.random.Generator) -> None:
    # A layer of its own: the training step changes weights.
    layer = submission.new(NAME, **SIZES, dropout=0.0)
    x = draw(rng, 2, 5, 12)
    layer(x)
    layer.randomize(rng)
    layer.expect(x)
    with submission.suspecting("not-compilable"):
        layer.expect_compiled(x)
        layer.expect_fit([x], draw(rng, 2, 5, 12))
