"""The Transformer's decoder layer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from grader import transformer_checks as shared
from grader import transformer_reference as transformer
from grader.exercise import Exercise
from grader.submission import LayerState, Submission
from grader.transformer_checks import Site

NAME = "TransformerDecoderLayer"
SELF_ATTENTION = Site("self_attention", "self_attention_norm", "attended", "self-attention")
CROSS_ATTENTION = Site("cross_attention", "cross_attention_norm", "crossed", "cross-attention")
FEED_FORWARD = Site("ffn", "ffn_norm", "transformed", "feed-forward network")
SITES = (SELF_ATTENTION, CROSS_ATTENTION, FEED_FORWARD)
SIZES = {"d_model": 12, "num_heads": 3, "d_ff": 7}

exercise = Exercise(
    number=26,
    title="The Transformer's decoder layer",
    kind="keras",
    part="Keras layers and Transformers",
    implements=[NAME],
    outputs={NAME: ("output",)},
    weights={NAME: transformer.DECODER_PATHS},
    lesson="11_transformer#exercise-26-the-decoder-layer",
    minutes=30,
    difficulty=3,
    seconds=20.0,
    forbidden=["tensorflow*", "torch*", "jax*"],
    hints=[
        "It is the encoder layer with one more sublayer in the middle, which attends to the memory. Three "
        "sublayers, three residual connections, three norms; the first attention may not look ahead.",
        "self_attention takes use_causal_mask=True. The queries of cross_attention are what the first norm "
        "returned; Keras's order of arguments is query, value, key. memory_mask is (B, Tk): "
        "MultiHeadAttention wants a mask with an axis for the queries in the middle.",
        "x = self_attention_norm(x + dropout(self_attention(x, x, use_causal_mask=True))); x = "
        "cross_attention_norm(x + dropout(cross_attention(x, memory, attention_mask=mask))) with mask = "
        "memory_mask[:, None, :], or None when there is none; then the feed-forward network "
        "as in the encoder layer.",
    ],
)

exercise.oracle(NAME)(transformer.decoder_layer)


def mistake(
    id: str, explanation: str, wrong: Mapping[str, str], on: Sequence[str] = (), **steps: Any
) -> None:
    """Register a misconception that is the oracle with some steps replaced."""

    def function(layer: LayerState, *args: Any, **kwargs: Any) -> np.ndarray:
        return transformer.decoder_layer(layer, *args, **kwargs, **steps)

    exercise.misconception(id, explanation, wrong=wrong, on=on)(function)


def attending(name: str, masking: Callable[[Any, int, int], Any]) -> Callable[..., np.ndarray]:
    """One of the attentions with another mask, a function of it and the numbers of queries and keys."""

    def attend(
        layer: LayerState, which: str, query: np.ndarray, value: np.ndarray, mask: Any
    ) -> np.ndarray:
        if which == name:
            mask = masking(mask, query.shape[1], value.shape[1])
        return transformer.attention(layer, which, query, value, mask=mask)

    return attend


def crossing(
    roles: Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, ...]],
) -> Callable[..., np.ndarray]:
    """Cross-attention with other roles: query, value and key as a function of x and the memory."""

    def attend(
        layer: LayerState, which: str, query: np.ndarray, value: np.ndarray, mask: Any
    ) -> np.ndarray:
        given = (query, value, value) if which == "self_attention" else roles(query, value)
        return transformer.attention(layer, which, *given, mask=mask)

    return attend


class _Parts:
    """The layer's sublayers and norms as functions of states, to be connected in another way."""

    def __init__(self, layer: LayerState, memory: np.ndarray, memory_mask: Any) -> None:
        self.layer = layer
        self.memory = memory
        self.padding = None if memory_mask is None else np.asarray(memory_mask, bool)[:, None]

    def attend(self, x: np.ndarray, name: str = "self_attention", mask: Any = True) -> np.ndarray:
        mask = transformer.causal_mask(x.shape[1]) & mask
        return transformer.attention(self.layer, name, x, x, mask=mask)

    def cross(self, x: np.ndarray, name: str = "cross_attention") -> np.ndarray:
        return transformer.attention(self.layer, name, x, self.memory, mask=self.padding)

    def feed(self, x: np.ndarray) -> np.ndarray:
        return transformer.feed_forward(self.layer, x)

    def norm(self, x: np.ndarray, name: str) -> np.ndarray:
        return transformer.layer_norm(self.layer, f"{name}_norm", x)

    def first(self, x: np.ndarray) -> np.ndarray:
        return self.norm(x + self.attend(x), "self_attention")

    def second(self, x: np.ndarray) -> np.ndarray:
        return self.norm(x + self.cross(x), "cross_attention")

    def third(self, x: np.ndarray) -> np.ndarray:
        return self.norm(x + self.feed(x), "ffn")


def rewired(
    id: str, explanation: str, wrong: Mapping[str, str], wiring: Callable[[_Parts, np.ndarray], Any]
) -> None:
    """Register a misconception that connects the right sublayers in another way."""

    def function(
        layer: LayerState, x: np.ndarray, memory: np.ndarray, memory_mask: Any = None, training: Any = None
    ) -> Any:
        return wiring(_Parts(layer, memory, memory_mask), x)

    exercise.misconception(id, explanation, wrong=wrong)(function)


ATTEND = "attended = self.self_attention(x, x, use_causal_mask=True)"
JOIN = "x = self.self_attention_norm(x + attended)"
EXPAND = "memory_mask = ops.expand_dims(memory_mask, axis=1)"
CROSS = "crossed = self.cross_attention(x, memory, attention_mask=memory_mask)"
CROSS_JOIN = "x = self.cross_attention_norm(x + crossed)"
RETURN = "return self.ffn_norm(x + transformed)"
MADE_CROSS = (
    "self.cross_attention = layers.MultiHeadAttention(\n"
    '            num_heads, d_model // num_heads, name="cross_attention"\n'
    "        )"
)


def made(norm: str) -> str:
    """How the solution makes a norm, its name included."""
    return f"self.{norm} = {shared.made(norm)}"


def own_mask(mask: str) -> str:
    """Self-attention under a mask that is made by hand."""
    return (
        f"length = x.shape[1]\n        causal = {mask}\n"
        '        attended = self.self_attention(x, x, attention_mask=ops.cast(causal, "bool"))'
    )


mistake(
    "no-causal-mask",
    "The self-attention sees the future: with use_causal_mask=True position t attends to positions 0 to t.",
    {ATTEND: "attended = self.self_attention(x, x)"},
    attend=attending("self_attention", lambda mask, queries, keys: None),
)
mistake(
    "causal-reversed",
    "The causal mask is reversed: each position sees the future instead of the past.",
    {ATTEND: own_mask("ops.triu(ops.ones((length, length)))")},
    attend=attending("self_attention", lambda mask, queries, keys: mask.T),
)
mistake(
    "causal-without-self",
    "The causal mask hides the position itself; position t attends to 0 to t, t included.",
    {ATTEND: own_mask("ops.tril(ops.ones((length, length)), k=-1)")},
    attend=attending("self_attention", lambda mask, queries, keys: np.tri(queries, k=-1, dtype=bool)),
)
mistake(
    "causal-cross-attention",
    "The cross-attention is causal too; every position may attend to the whole memory.",
    {CROSS: CROSS.replace("memory,", "memory, use_causal_mask=True,")},
    attend=attending(
        "cross_attention",
        lambda mask, queries, keys: np.tri(queries, keys, dtype=bool) & (True if mask is None else mask),
    ),
)
mistake(
    "memory-mask-ignored",
    "memory_mask has no effect: pass it on to cross_attention.",
    {CROSS: "crossed = self.cross_attention(x, memory)"},
    attend=attending("cross_attention", lambda mask, queries, keys: None),
)
mistake(
    "memory-mask-inverted",
    "memory_mask is read the other way round: True (1) means may be attended to.",
    {EXPAND: 'memory_mask = ~ops.cast(ops.expand_dims(memory_mask, axis=1), "bool")'},
    attend=attending("cross_attention", lambda mask, queries, keys: None if mask is None else ~mask),
)
mistake(
    "memory-mask-not-expanded",
    "memory_mask goes into the attention as it is, (B, Tk), where it is read as queries by keys: it needs "
    "an axis for the queries, (B, 1, Tk).",
    {EXPAND: "pass"},
    attend=attending("cross_attention", lambda mask, queries, keys: None if mask is None else mask[:, 0]),
)
mistake(
    "memory-mask-over-queries",
    "The axis for the queries stands at the end, (B, Tk, 1), so that queries are masked; the keys are the "
    "last axis: (B, 1, Tk).",
    {EXPAND: EXPAND.replace("axis=1", "axis=2")},
    attend=attending(
        "cross_attention", lambda mask, queries, keys: None if mask is None else np.swapaxes(mask, 1, 2)
    ),
)
mistake(
    "memory-ignored",
    "The cross-attention attends to x again; its keys and values come from the memory.",
    {CROSS: CROSS.replace("(x, memory", "(x, x")},
    attend=crossing(lambda x, memory: (x, x, x)),
)
mistake(
    "query-and-memory-swapped",
    "The queries come from the memory, and keys and values from x; it is the other way round.",
    {CROSS: CROSS.replace("(x, memory", "(memory, x")},
    attend=crossing(lambda x, memory: (memory, x, x)),
)
mistake(
    "keys-from-x",
    "The keys of the cross-attention come from x. Keras's order of arguments is query, value, key; the key "
    "may be left out where it is the value.",
    {CROSS: CROSS.replace("(x, memory", "(x, memory, x")},
    attend=crossing(lambda x, memory: (x, memory, x)),
)
mistake(
    "values-from-x",
    "The values of the cross-attention come from x; keys and values both come from the memory.",
    {CROSS: CROSS.replace("(x, memory", "(x, x, memory")},
    attend=crossing(lambda x, memory: (x, x, memory)),
)
mistake(
    "value-key-query-order",
    "The arguments of the cross-attention stand in the order value, key, query, as in an old tutorial; "
    "Keras's order is query, value, key.",
    {CROSS: CROSS.replace("(x, memory", "(memory, memory, x")},
    attend=crossing(lambda x, memory: (memory, memory, x)),
)
mistake(
    "pre-norm",
    "The norms stand before the sublayers (pre-norm); here, as in the paper, they follow the sum: "
    "LayerNorm(x + sublayer(x)).",
    {
        ATTEND: "normed = self.self_attention_norm(x)\n"
        "        attended = self.self_attention(normed, normed, use_causal_mask=True)",
        JOIN: "x = x + attended",
        CROSS: CROSS.replace("(x,", "(self.cross_attention_norm(x),"),
        CROSS_JOIN: "x = x + crossed",
        shared.HIDDEN: "hidden = self.ffn_inner(self.ffn_norm(x))",
        RETURN: "return x + transformed",
    },
    wrap=transformer.pre_norm,
)
rewired(
    "memory-mask-in-self-attention",
    "memory_mask is applied to the self-attention; it belongs to the memory, in the cross-attention.",
    {
        ATTEND: "if memory_mask is not None:\n"
        "            memory_mask = ops.expand_dims(memory_mask, 1)\n"
        "        attended = self.self_attention(x, x, use_causal_mask=True, attention_mask=memory_mask)\n"
        "        memory_mask = None"
    },
    lambda p, x: _Parts.third(
        p,
        _Parts(p.layer, p.memory, None).second(
            p.norm(x + p.attend(x, mask=True if p.padding is None else p.padding), "self_attention")
        ),
    ),
)
rewired(
    "memory-mask-in-both",
    "memory_mask is applied to the self-attention as well; it belongs to the memory only.",
    {
        ATTEND: "padding = None if memory_mask is None else memory_mask[:, None]\n"
        "        attended = self.self_attention(x, x, use_causal_mask=True, attention_mask=padding)"
    },
    lambda p, x: p.third(
        p.second(p.norm(x + p.attend(x, mask=True if p.padding is None else p.padding), "self_attention"))
    ),
)
rewired(
    "causal-only-with-mask",
    "The self-attention is causal only when there is a memory_mask; it always is.",
    {ATTEND: ATTEND.replace("=True", "=memory_mask is not None")},
    lambda p, x: p.third(
        p.second(
            p.first(x)
            if p.padding is not None
            else p.norm(x + transformer.attention(p.layer, "self_attention", x, x), "self_attention")
        )
    ),
)
rewired(
    "cross-query-from-input",
    "The queries of the cross-attention come from the layer's input; they come from what "
    "self_attention_norm returned.",
    {ATTEND: f"inputs = x\n        {ATTEND}", CROSS: CROSS.replace("(x,", "(inputs,")},
    lambda p, x: p.third(p.norm(p.first(x) + p.cross(x), "cross_attention")),
)
rewired(
    "cross-residual-from-input",
    "The cross-attention's output is added to the layer's input; add what its queries come from, the "
    "output of self_attention_norm.",
    {
        ATTEND: f"inputs = x\n        {ATTEND}",
        CROSS_JOIN: "x = self.cross_attention_norm(inputs + crossed)",
    },
    lambda p, x: p.third(p.norm(x + p.cross(p.first(x)), "cross_attention")),
)
rewired(
    "residual-from-memory",
    "The cross-attention's output is added to the memory; add what its queries come from, the output of "
    "self_attention_norm.",
    {CROSS_JOIN: "x = self.cross_attention_norm(memory + crossed)"},
    lambda p, x: p.third(p.norm(p.memory + p.cross(p.first(x)), "cross_attention")),
)
rewired(
    "ffn-residual-from-input",
    "The feed-forward network's output is added to the layer's input; add what the network itself reads, "
    "the output of cross_attention_norm.",
    {ATTEND: f"inputs = x\n        {ATTEND}", RETURN: "return self.ffn_norm(inputs + transformed)"},
    lambda p, x: p.norm(x + p.feed(p.second(p.first(x))), "ffn"),
)
rewired(
    "ffn-residual-skips-cross-attention",
    "The feed-forward network's output is added to that of self_attention_norm; add what the network "
    "itself reads, the output of cross_attention_norm.",
    {JOIN: f"{JOIN}\n        first = x", RETURN: "return self.ffn_norm(first + transformed)"},
    lambda p, x: p.norm(p.first(x) + p.feed(p.second(p.first(x))), "ffn"),
)
rewired(
    "ffn-skips-cross-attention",
    "The feed-forward network reads the output of self_attention_norm; it reads cross_attention_norm's.",
    {JOIN: f"{JOIN}\n        first = x", shared.HIDDEN: "hidden = self.ffn_inner(first)"},
    lambda p, x: p.norm(p.second(p.first(x)) + p.feed(p.first(x)), "ffn"),
)
rewired(
    "cross-attention-first",
    "The cross-attention comes before the self-attention; the self-attention is first.",
    {
        ATTEND: "if memory_mask is not None:\n"
        "            memory_mask = memory_mask[:, None]\n"
        "        attended = self.cross_attention(x, memory, attention_mask=memory_mask)",
        JOIN: "x = self.cross_attention_norm(x + attended)",
        EXPAND: "pass",
        CROSS: "crossed = self.self_attention(x, x, use_causal_mask=True)",
        CROSS_JOIN: "x = self.self_attention_norm(x + crossed)",
    },
    lambda p, x: p.third(p.first(p.second(x))),
)
rewired(
    "norms-swapped",
    "The norms of the two attentions are swapped: each attention is followed by the norm with its name.",
    {
        JOIN: JOIN.replace("self_attention_norm", "cross_attention_norm"),
        CROSS_JOIN: CROSS_JOIN.replace("cross_attention_norm", "self_attention_norm"),
    },
    lambda p, x: p.third(
        p.norm(
            p.norm(x + p.attend(x), "cross_attention")
            + p.cross(p.norm(x + p.attend(x), "cross_attention")),
            "self_attention",
        )
    ),
)
rewired(
    "norms-shared",
    "All norms are one layer with one gamma and one beta; each sublayer's norm has its own.",
    {
        made("cross_attention_norm"): "self.cross_attention_norm = self.self_attention_norm",
        made("ffn_norm"): "self.ffn_norm = self.self_attention_norm",
    },
    # All names lead to the same weights, so what was assigned last holds for all.
    lambda p, x: p.third(all_named(p, "ffn_norm", x)),
)
rewired(
    "attentions-shared",
    "Both attentions are one layer with the same weights; each has its own.",
    {MADE_CROSS: "self.cross_attention = self.self_attention"},
    lambda p, x: p.third(p.second(p.norm(x + p.attend(x, "cross_attention"), "self_attention"))),
)
rewired(
    "attentions-swapped",
    "cross_attention attends within x, and self_attention to the memory; it is the other way round.",
    {
        ATTEND: ATTEND.replace("self.self_attention", "self.cross_attention"),
        CROSS: CROSS.replace("self.cross_attention", "self.self_attention"),
    },
    lambda p, x: p.third(
        (lambda y: p.norm(y + p.cross(y, "self_attention"), "cross_attention"))(
            p.norm(x + p.attend(x, "cross_attention"), "self_attention")
        )
    ),
)


def all_named(p: _Parts, norm: str, x: np.ndarray) -> np.ndarray:
    """What reaches the feed-forward network when both attentions are followed by the same norm."""
    x = transformer.layer_norm(p.layer, norm, x + p.attend(x))
    return transformer.layer_norm(p.layer, norm, x + p.cross(x))


exercise.behaviour(
    "self-attention-skipped",
    "self_attention is made, but call() does not use it (another one built inside call() has fresh weights "
    "at every call).",
    on=["unused:self_attention.query_dense"],
    wrong={ATTEND: "attended = x"},
)
exercise.behaviour(
    "cross-attention-skipped",
    "cross_attention is made, but call() does not use it (another one built inside call() has fresh "
    "weights at every call).",
    on=["unused:cross_attention.query_dense"],
    wrong={CROSS: "crossed = x"},
)
exercise.behaviour(
    "mask-by-position",
    "The mask is passed by its position, as in older examples. By position the fourth argument of "
    "MultiHeadAttention is query_mask: write attention_mask=...",
    wrong={CROSS: "crossed = self.cross_attention(x, memory, memory, memory_mask)"},
)
exercise.behaviour(
    "mask-in-if",
    "An if asks for the truth of a whole mask, which has none: ask whether it is None.",
    wrong={"if memory_mask is not None:": "if memory_mask:"},
)
shared.add_shared_mistakes(exercise, mistake, SITES)


def draw(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return rng.normal(size=shape).astype(np.float32)


def layer_of(submission: Submission, rng: np.random.Generator) -> Any:
    """Three heads of width 4 on states of width 12, without dropout."""
    return shared.built(submission, NAME, rng, (2, 5, 12), (2, 5, 12), **SIZES, dropout=0.0)


def random_mask(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Some of every memory is real, and not all."""
    mask = rng.random(size=shape) < 0.5
    mask[..., 1], mask[..., 2] = True, False
    return mask


@exercise.check("the weights have the sizes that d_model, num_heads and d_ff ask for")
def sizes(submission: Submission, rng: np.random.Generator) -> None:
    shared.expect_shapes(submission, layer_of(submission, rng), SITES)


@exercise.check("two positions, and a memory of two or three")
def small(submission: Submission, rng: np.random.Generator) -> None:
    config = {"d_model": 6, "num_heads": 2, "d_ff": 5, "dropout": 0.0}
    layer = shared.built(submission, NAME, rng, (1, 2, 6), (1, 2, 6), **config)
    x = np.round(draw(rng, 1, 2, 6), 1)
    layer.expect(x, np.round(draw(rng, 1, 2, 6), 1))
    layer.expect(x, np.round(draw(rng, 1, 3, 6), 1))


@exercise.check("batches of several lengths")
def batches(submission: Submission, rng: np.random.Generator) -> None:
    layer = layer_of(submission, rng)
    layer.expect(draw(rng, 3, 6, 12), draw(rng, 3, 6, 12))
    layer.expect(draw(rng, 2, 5, 12), draw(rng, 2, 4, 12))
    layer.expect(draw(rng, 4, 1, 12), draw(rng, 4, 3, 12))
    layer.expect(draw(rng, 2, 3, 12), draw(rng, 2, 8, 12))


@exercise.check("no position sees the future")
def no_future(submission: Submission, rng: np.random.Generator) -> None:
    layer = layer_of(submission, rng)
    x, memory = draw(rng, 2, 6, 12), draw(rng, 2, 6, 12)
    before = layer.output(x, memory)
    for place in range(1, 6):
        changed = x.copy()
        changed[:, place] = draw(rng, 2, 12)
        after = layer.output(changed, memory)
        if before.shape == after.shape == x.shape and not np.allclose(
            before[:, :place], after[:, :place], atol=1e-5
        ):
            with submission.suspecting("no-causal-mask"):
                layer.expect(x, memory)
            message = f"A change of x at position {place} changed the output before it."
            submission.fail(message, "no-causal-mask")
    layer.expect(x, memory)


@exercise.check("a memory_mask, (B, Tk), boolean or 0 and 1")
def masks(submission: Submission, rng: np.random.Generator) -> None:
    layer = layer_of(submission, rng)
    x, memory = draw(rng, 5, 5, 12), draw(rng, 5, 5, 12)
    layer.expect(x, memory)
    with shared.named_errors():
        layer.expect(x, memory, random_mask(rng, 5, 5))
        layer.expect(x[:3], memory[:3], memory_mask=random_mask(rng, 3, 5))
        layer.expect(x[:2], memory[:2, :4], memory_mask=random_mask(rng, 2, 4))
        layer.expect(x[:2, :3], memory[:2], memory_mask=random_mask(rng, 2, 5).astype(np.int32))


@exercise.check("a memory that is all padding gives finite numbers")
def nothing_allowed(submission: Submission, rng: np.random.Generator) -> None:
    layer = layer_of(submission, rng)
    mask = random_mask(rng, 3, 5)
    mask[1] = False
    x, memory = draw(rng, 3, 5, 12), draw(rng, 3, 5, 12)
    layer.expect(x, memory)
    with shared.named_errors():
        layer.output(x, memory, memory_mask=mask)
        # What comes out of this example is free; the other two are as they are without it.
        layer.expect_viewed(lambda output: output[::2], x, memory, memory_mask=mask)


@exercise.check("states whose features hardly differ")
def little_spread(submission: Submission, rng: np.random.Generator) -> None:
    layer = layer_of(submission, rng)
    x, memory = draw(rng, 2, 5, 12), draw(rng, 2, 4, 12)
    layer.expect(x, memory)
    before = layer.state.weights
    layer.write(shared.with_little_spread(layer, SITES))
    try:
        with submission.suspecting("norm-epsilon"):
            layer.expect(2e-3 * x, 2e-3 * memory)
    finally:
        layer.write(before)


@exercise.check("26 trainable weights, made once")
def weights_once(submission: Submission, rng: np.random.Generator) -> None:
    layer = layer_of(submission, rng)
    layer(draw(rng, 2, 4, 12), draw(rng, 2, 4, 12))
    layer(draw(rng, 1, 7, 12), draw(rng, 1, 7, 12))
    shared.expect_weights(submission, layer, 26)
    layer.expect(draw(rng, 3, 4, 12), draw(rng, 3, 4, 12))


@exercise.check("in training a dropout of 0 changes nothing")
def no_rate(submission: Submission, rng: np.random.Generator) -> None:
    layer = layer_of(submission, rng)
    x, memory = draw(rng, 2, 5, 12), draw(rng, 2, 5, 12)
    layer.expect(x, memory, training=False)
    with submission.suspecting("dropout-rate-ignored"):
        layer.expect(x, memory, training=True)


@exercise.check("dropout on all three sublayers' outputs, in training only")
def dropout(submission: Submission, rng: np.random.Generator) -> None:
    layer_of(submission, rng).expect(draw(rng, 2, 5, 12), draw(rng, 2, 5, 12))
    config = {"d_model": 16, "num_heads": 2, "d_ff": 11, "dropout": 0.25}
    layer = shared.built(submission, NAME, rng, (2, 6, 16), (2, 6, 16), **config)
    x, memory = draw(rng, 2, 6, 16), draw(rng, 2, 6, 16)
    with submission.suspecting("dropout-at-inference"):
        layer.expect(x, memory)
        layer.expect(x, memory, training=False)
    shared.expect_dropout(submission, layer, SITES, 0.25, draw(rng, 24, 6, 16), draw(rng, 24, 5, 16))


@exercise.check("gradients reach every weight")
def gradients(submission: Submission, rng: np.random.Generator) -> None:
    layer = layer_of(submission, rng)
    x, memory = draw(rng, 2, 5, 12), draw(rng, 2, 4, 12)
    with shared.named_errors():
        layer.expect_gradients(rng, x, memory, memory_mask=random_mask(rng, 2, 4))


@exercise.check("get_config, from_config, and saved weights")
def round_trips(submission: Submission, rng: np.random.Generator) -> None:
    layer = layer_of(submission, rng)
    x, memory = draw(rng, 2, 5, 12), draw(rng, 2, 5, 12)
    layer.expect(x, memory)
    with submission.suspecting("dropout-rate-ignored"):
        layer.expect(x, memory, training=True)
    with submission.suspecting("config-incomplete"):
        reloaded = layer.reloaded(x, memory)
        reloaded.expect(x, memory)
        reloaded.expect(x, memory, training=True)  # the rate is 0, and not the default


@exercise.check("d_model must be divisible by num_heads")
def divisible(submission: Submission, rng: np.random.Generator) -> None:
    submission.expect_new_error(NAME, "ValueError", d_model=10, num_heads=4, d_ff=7)


@exercise.check("under jit_compile, and in fit", costly=True)
def compiled(submission: Submission, rng: np.random.Generator) -> None:
    # A layer of its own: the training step changes weights.
    layer = submission.new(NAME, **SIZES, dropout=0.0)
    x, memory = draw(rng, 2, 5, 12), draw(rng, 2, 4, 12)
    mask = random_mask(rng, 2, 4)
    layer(x, memory)
    layer.randomize(rng)
    with shared.named_errors():
        layer.expect(x, memory, memory_mask=mask)
    with submission.suspecting("not-compilable"):
        layer.expect_compiled(x, memory, memory_mask=mask)
        layer.expect_fit([x, memory], draw(rng, 2, 5, 12))
