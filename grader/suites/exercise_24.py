"""Token embedding with sinusoidal positions, which tells what follows about padding."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from grader.exercise import Exercise
from grader.submission import LayerState, Submission

NAME = "PositionalEmbedding"
EMBEDDINGS = "token_embedding.embeddings"
WIDTH, TOKENS, LONGEST = 6, 9, 11

exercise = Exercise(
    number=24,
    title="Token embedding with positions",
    kind="keras",
    part="Keras layers and Transformers",
    implements=[NAME],
    outputs={NAME: ("vectors",)},
    weights={NAME: [EMBEDDINGS]},
    lesson="11_transformer#exercise-24-positional-embedding",
    minutes=20,
    difficulty=1,
    seconds=20.0,
    forbidden=["tensorflow*", "torch*", "jax*"],
    hints=[
        "Most of it can be made once, in __init__: the Embedding, and the waves of exercise 11 for all "
        "max_length positions, a NumPy array. A call needs only the first T rows of them.",
        "The order matters: look up, multiply by sqrt(d_model), then add the rows waves[:T], which "
        "broadcast over the batch. A mask does not survive arithmetic on tensors, so give the layer "
        "a compute_mask.",
        "In call: if tokens.shape[1] > self.max_length: raise ValueError(...); return "
        "self.token_embedding(tokens) * self.d_model**0.5 + self.waves[: tokens.shape[1]]. In "
        "compute_mask: return ops.not_equal(tokens, 0).",
    ],
)


def exponent_of(j: int, width: int) -> float:
    return 2 * (j // 2) / width


def waves(
    length: int,
    width: int,
    *,
    exponent: Callable[[int, int], float] = exponent_of,
    base: float = 10000.0,
    sine: Callable[[int], bool] = lambda j: j % 2 == 0,
    first: int = 0,
) -> np.ndarray:
    """The sinusoids, column by column, in float64."""
    positions, rows = np.arange(first, first + length, dtype=np.float64), np.empty((length, width))
    for j in range(width):
        rows[:, j] = (np.sin if sine(j) else np.cos)(positions / base ** exponent(j, width))
    return rows


def first_rows(table: np.ndarray, tokens: np.ndarray) -> np.ndarray:
    return table[: tokens.shape[1]]


def embed(
    layer: LayerState,
    tokens: np.ndarray,
    *,
    scale: Callable[[int, int], float] = lambda width, length: width**0.5,
    table: Callable[[int, int], np.ndarray] = waves,
    choosing: Callable[[np.ndarray, np.ndarray], np.ndarray] = first_rows,
    adding: Callable[..., np.ndarray] = lambda vectors, rows, root: vectors + rows,
    finishing: Callable[..., np.ndarray] = lambda vectors, tokens: vectors,
    too_long: Callable[[int, int], bool] = lambda length, longest: length > longest,
) -> np.ndarray:
    """The right answer; each keyword replaces one step by a mistaken one."""
    width, longest = layer.config["d_model"], layer.config["max_length"]
    if too_long(tokens.shape[1], longest):
        raise ValueError("longer than max_length")
    # One-hot rows times the matrix: a lookup.
    one_hot = np.eye(layer.config["vocab_size"])[tokens]
    vectors = np.einsum("btv,vd->btd", one_hot, layer[EMBEDDINGS]) * scale(width, tokens.shape[1])
    rows = choosing(table(longest, width), tokens)
    return finishing(adding(vectors, rows, width**0.5), tokens)


exercise.oracle(NAME)(embed)


def mistake(
    id: str, explanation: str, wrong: Mapping[str, str], on: Sequence[str] = (), **steps: Any
) -> None:
    """Register a misconception that is the oracle with some steps replaced."""

    def function(layer: LayerState, *args: Any, **kwargs: Any) -> Any:
        return embed(layer, *args, **kwargs, **steps)

    exercise.misconception(id, explanation, wrong=wrong, on=on)(function)


def mistaken_waves(id: str, explanation: str, wrong: Mapping[str, str], **options: Any) -> None:
    """Register a misconception about the sinusoids."""
    mistake(id, explanation, wrong, table=lambda length, width: waves(length, width, **options))


EMBEDDING = 'layers.Embedding(vocab_size, d_model, mask_zero=True, name="token_embedding")'
POSITIONS = "np.arange(max_length, dtype=np.float64)"
EXPONENTS = "2 * (columns // 2) / d_model"
ANGLES = "angles = positions / 10000.0**exponents"
WAVES = "np.where(columns % 2 == 0, np.sin(angles), np.cos(angles))"
KEPT = "self.waves = waves.astype(np.float32)"
TOO_LONG = "if length > self.max_length:"
LOOKUP = "self.token_embedding(tokens)"
SCALED = f"{LOOKUP} * self.d_model**0.5"
ROWS = "ops.cast(self.waves[:length], vectors.dtype)"
SUM = f"return vectors + {ROWS}"
MASK = "return ops.not_equal(tokens, 0)"

# The embedding and its scale

mistake(
    "not-scaled",
    "The embeddings are not multiplied by sqrt(d_model): the waves drown them.",
    {SCALED: LOOKUP},
    scale=lambda width, length: 1.0,
)
mistake(
    "scaled-without-root",
    "The embeddings are multiplied by d_model (or twice by its root); multiply once by sqrt(d_model).",
    {SCALED: f"{LOOKUP} * self.d_model"},
    scale=lambda width, length: width,
)
mistake(
    "divided-by-root",
    "The embeddings are divided by sqrt(d_model), as scores are in attention; here they are multiplied "
    "by it.",
    {SCALED: f"{LOOKUP} / self.d_model**0.5"},
    scale=lambda width, length: width**-0.5,
)
mistake(
    "scaled-by-length",
    "The embeddings are multiplied by the root of the sequence length; the width d_model belongs there.",
    {SCALED: f"{LOOKUP} * length**0.5"},
    scale=lambda width, length: length**0.5,
)
mistake(
    "sum-scaled",
    "The waves are added before the scaling, so they are scaled too: scale the embeddings, then add.",
    {SUM: f"return {LOOKUP} * self.d_model**0.5 + {ROWS} * self.d_model**0.5"},
    adding=lambda vectors, rows, root: vectors + rows * root,
)
mistake(
    "waves-scaled",
    "The waves are multiplied by sqrt(d_model); the embeddings are to be.",
    {SUM: f"return {LOOKUP} + {ROWS} * self.d_model**0.5"},
    scale=lambda width, length: 1.0,
    adding=lambda vectors, rows, root: vectors + rows * root,
)
mistake(
    "no-positions",
    "The waves are missing: these are the scaled embeddings alone.",
    {SUM: "return vectors"},
    adding=lambda vectors, rows, root: vectors,
)
mistake(
    "positions-alone",
    "These are the waves alone: the scaled embeddings are missing.",
    {SUM: f"return 0 * vectors + {ROWS}"},
    adding=lambda vectors, rows, root: 0 * vectors + rows,
)
mistake(
    "side-by-side",
    "The waves stand beside the embeddings, (B, T, 2 d_model); they are added, (B, T, d_model).",
    {SUM: f"return ops.concatenate([vectors, ops.zeros_like(vectors) + {ROWS}], axis=-1)"},
    adding=lambda vectors, rows, root: np.concatenate([vectors, 0 * vectors + rows], axis=-1),
)
mistake(
    "padding-zeroed",
    "The vectors at padding are set to zero. Padding gets a vector like any token, and the mask tells that "
    "it is padding.",
    {
        SUM: f"{SUM.replace('return', 'vectors =')}\n        "
        "return vectors * ops.cast(tokens != 0, vectors.dtype)[..., None]"
    },
    finishing=lambda vectors, tokens: vectors * (tokens != 0)[..., None],
)

# The waves, as in exercise 11

mistaken_waves(
    "exponent-not-floored",
    "The exponent is j/d_model for every column j, so a sine and its cosine have different frequencies. "
    "The two of a pair share one: 2 floor(j/2) / d_model.",
    {EXPONENTS: "columns / d_model"},
    exponent=lambda j, width: j / width,
)
mistaken_waves(
    "column-for-pair",
    "The exponent is 2j/d_model with the column j; the formula counts pairs: 2 floor(j/2) / d_model.",
    {EXPONENTS: "2 * columns / d_model"},
    exponent=lambda j, width: 2 * j / width,
)
mistaken_waves(
    "exponent-doubled",
    "The exponents are twice as large as they should be. np.arange(0, d_model, 2) already holds the 2i of "
    "the formula: do not multiply it by 2 again.",
    {EXPONENTS: "4 * (columns // 2) / d_model"},
    exponent=lambda j, width: 4 * (j // 2) / width,
)
mistaken_waves(
    "exponent-halved",
    "The exponents are half as large as they should be: floor(j/2) counts the pairs, and the formula takes "
    "twice that, over d_model.",
    {EXPONENTS: "(columns // 2) / d_model"},
    exponent=lambda j, width: j // 2 / width,
)
mistaken_waves(
    "integer-division",
    "The exponent is computed with //, which makes it 0 everywhere: all columns have one frequency. "
    "Use / for 2 floor(j/2) / d_model.",
    {EXPONENTS: "2 * (columns // 2) // d_model"},
    exponent=lambda j, width: 0,
)
mistaken_waves(
    "spread-to-the-base",
    "The frequencies run from 1 to 1/10000 (the exponent is divided by the number of pairs less 1, as in "
    "Tensor2Tensor). In the paper's formula it is divided by d_model.",
    {EXPONENTS: "(columns // 2) / max((d_model + 1) // 2 - 1, 1)"},
    exponent=lambda j, width: j // 2 / max((width + 1) // 2 - 1, 1),
)
mistaken_waves(
    "odd-width-rounded",
    "An odd d_model is rounded to an even number in the exponent. Divide by d_model as it is.",
    {EXPONENTS: "(columns // 2) / ((d_model + 1) // 2)"},
    exponent=lambda j, width: j // 2 / ((width + 1) // 2),
)
mistaken_waves(
    "odd-width-rounded-down",
    "An odd d_model is rounded down in the exponent (d_model // 2 pairs). Divide by d_model as it is.",
    {EXPONENTS: "(columns // 2) / max(d_model // 2, 1)"},
    exponent=lambda j, width: j // 2 / max(width // 2, 1),
)
mistake(
    "divided-by-length",
    "The exponent is divided by max_length, the number of positions; the width d_model belongs there.",
    {EXPONENTS: "2 * (columns // 2) / max_length"},
    table=lambda length, width: waves(length, width, exponent=lambda j, _: exponent_of(j, length)),
)
mistaken_waves(
    "multiplied",
    "The position is multiplied by 10000^(...); divide by it (or take exp with a minus sign).",
    {ANGLES: "angles = positions * 10000.0**exponents"},
    base=1e-4,
)
mistaken_waves(
    "base-1000",
    "The base is 1000; it is 10000.",
    {ANGLES: "angles = positions / 1000.0**exponents"},
    base=1000.0,
)
mistaken_waves(
    "sin-cos-swapped",
    "Sine and cosine are swapped: sine belongs to the even columns (0, 2, ...), cosine to the odd ones.",
    {"columns % 2 == 0": "columns % 2 == 1"},
    sine=lambda j: j % 2 == 1,
)
mistaken_waves(
    "sines-only",
    "All columns are sines. The odd columns are cosines of the same angle.",
    {WAVES: "np.sin(angles)"},
    sine=lambda j: True,
)
mistake(
    "concatenated",
    "All sines come first, then all cosines. That is a known variant, but here (as in the paper) they "
    "alternate: sine in even columns, cosine in odd ones.",
    {WAVES: "np.concatenate([np.sin(angles[:, 0::2]), np.cos(angles[:, 1::2])], axis=1)"},
    table=lambda length, width: np.concatenate(
        [waves(length, width)[:, 0::2], waves(length, width)[:, 1::2]], axis=1
    ),
)
mistake(
    "alternating-positions",
    "Sine and cosine alternate over the positions (rows). They alternate over the columns.",
    {"columns % 2 == 0": "positions % 2 == 0"},
    table=lambda length, width: np.where(
        np.arange(length)[:, None] % 2 == 0,
        waves(length, width, sine=lambda j: True),
        waves(length, width, sine=lambda j: False),
    ),
)
mistaken_waves(
    "positions-from-1",
    "The positions count from 1; the first one is 0.",
    {POSITIONS: "np.arange(1.0, max_length + 1)"},
    first=1,
)
mistake(
    "positions-scaled",
    "The positions are divided by max_length. They are the whole numbers 0, 1, 2, ...",
    {ANGLES: "angles = positions / max_length / 10000.0**exponents"},
    table=lambda length, width: waves(
        length, width, exponent=lambda j, _: exponent_of(j, width) + np.log(length) / np.log(10000.0)
    ),
)
mistake(
    "odd-width-zero",
    "With an odd d_model the last column of the waves stays 0; it is a sine.",
    {WAVES: f"{WAVES}\n        waves[:, d_model // 2 * 2 :] = 0"},
    table=lambda length, width: waves(length, width) * (np.arange(width) < width // 2 * 2),
)
exercise.behaviour(
    "odd-width-fails",
    "An odd d_model raises: there is one cosine less than sines. Cut the cosines to d_model // 2 columns.",
    wrong={
        WAVES: "np.empty((max_length, d_model))\n        waves[:, 0::2] = np.sin(angles[:, 0::2])\n"
        "        waves[:, 1::2] = np.cos(angles[:, 0::2])"
    },
)
exercise.behaviour(
    "computed-in-float32",
    "Far positions are inaccurate: the angles were computed in float32, which has 7 digits. Compute them "
    "with NumPy in float64 and convert the waves.",
    wrong={ANGLES: f"{ANGLES.replace('= ', '= (')}).astype(np.float32)"},
)

# Which row goes where

mistake(
    "batch-for-time",
    "The waves follow the batch (axis 0): every example has one row for all its tokens. Positions are "
    "axis 1.",
    {ROWS: "ops.cast(self.waves[: tokens.shape[0], None], vectors.dtype)"},
    choosing=lambda table, tokens: table[: len(tokens), None],
)
mistake(
    "tokens-for-positions",
    "The waves are looked up by the tokens. They depend on where a token stands, not on which it is.",
    {ROWS: "ops.take(ops.cast(self.waves, vectors.dtype), tokens, axis=0)"},
    choosing=lambda table, tokens: table[tokens],
)
mistake(
    "padding-not-counted",
    "The positions count real tokens only. The position is the place in the row, padding included.",
    {
        ROWS: "ops.take(ops.cast(self.waves, vectors.dtype), ops.maximum(ops.cumsum(ops.cast("
        'tokens != 0, "int32"), axis=1) - 1, 0), axis=0)'
    },
    choosing=lambda table, tokens: table[np.maximum(np.cumsum(tokens != 0, axis=1) - 1, 0)],
)
mistake(
    "all-rows-added",
    "All max_length rows of the waves are added, which fits only sequences of that length: take the "
    "first T.",
    {ROWS: "ops.cast(self.waves, vectors.dtype)"},
    choosing=lambda table, tokens: table,
)
mistake(
    "last-rows-added",
    "The last T rows of the waves are added; the first token's position is 0, so take the first T.",
    {ROWS: "ops.cast(self.waves[-length:], vectors.dtype)"},
    choosing=lambda table, tokens: table[-tokens.shape[1] :],
)
mistake(
    "max-length-refused",
    "A sequence of exactly max_length tokens is refused; only a longer one raises ValueError.",
    {TOO_LONG: "if length >= self.max_length:"},
    too_long=lambda length, longest: length >= longest,
)
exercise.behaviour(
    "length-of-the-first-call",
    "After a first call, longer sequences fail: the waves were made for its length. Make them for "
    "max_length.",
    wrong={ROWS: f"{ROWS}[: self.__dict__.setdefault('_first', length)]"},
)
exercise.behaviour(
    "no-length-check",
    "A sequence longer than max_length must raise ValueError, with words that help: check tokens.shape[1] "
    "in call.",
    on=["no-error"],
    wrong={TOO_LONG: "if False:"},
)

# The mask

exercise.behaviour(
    "mask-dropped",
    "No mask reaches the layer that follows. Embedding(mask_zero=True) gives one, and arithmetic on its "
    "output loses it: write compute_mask.",
    wrong={MASK: "return None"},
)
exercise.behaviour(
    "mask-inverted",
    "The mask is the other way round: True means that a token is real, and padding (0) is False.",
    wrong={MASK: "return ops.equal(tokens, 0)"},
)
exercise.behaviour(
    "mask-of-another-shape",
    "The mask does not have the shape of the tokens, (B, T). Axes for heads are the attention layer's "
    "business.",
    wrong={MASK: f"{MASK}[:, None, None, :]"},
)
exercise.behaviour(
    "mask-wrong",
    "The mask is not True exactly where tokens[b, t] is not 0, wherever that stands.",
    wrong={MASK: "return ops.greater(tokens, 1)"},
)

# Behaviour

exercise.behaviour(
    "waves-trained",
    "The positions can be trained. Here they are constants, the waves: no weight, or one with "
    "trainable=False.",
    wrong={
        KEPT: "self.waves = self.add_weight(shape=waves.shape, trainable=True, initializer=lambda shape, "
        'dtype=None: ops.convert_to_tensor(waves, dtype="float32"))'
    },
)
exercise.behaviour(
    "sizes-mixed-up",
    "token_embedding does not have vocab_size rows and d_model columns. vocab_size counts padding already.",
    wrong={"Embedding(vocab_size, d_model,": "Embedding(vocab_size + 1, d_model,"},
)
exercise.behaviour(
    "built-in-call",
    "A sublayer is built inside call(): it starts with fresh random weights at every call and never "
    "learns. Make token_embedding once, in __init__.",
    on=["no-weights", "new-state"],
    wrong={
        f"self.token_embedding = {EMBEDDING}": "pass",
        LOOKUP: "layers.Embedding(self.vocab_size, self.d_model)(tokens)",
    },
)
exercise.behaviour(
    "misnamed-sublayers",
    "The Embedding has another name (or stands in a list): the attribute must be called token_embedding.",
    on=["misnamed"],
    wrong={"self.token_embedding =": "self.embedding =", LOOKUP: "self.embedding(tokens)"},
)
exercise.behaviour(
    "config-incomplete",
    "get_config leaves something out: the layer cannot be built again from it. It needs vocab_size, "
    "d_model and max_length.",
    wrong={'            "max_length": self.max_length,\n': ""},
)
exercise.behaviour(
    "no-gradient",
    "The embeddings cannot be trained (stop_gradient, trainable=False, a detour over NumPy).",
    on=["no-gradient"],
    wrong={SCALED: f"ops.stop_gradient({LOOKUP}) * self.d_model**0.5"},
)
exercise.behaviour(
    "not-compilable",
    "call looks at the values of tensors with Python (if, float, NumPy), which a compiled function cannot.",
    wrong={SUM: f"if int(ops.max(tokens)) < 0:\n            return None\n        {SUM}"},
)

# The checks


def ids(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Tokens without padding."""
    return rng.integers(1, TOKENS, size=shape).astype(np.int32)


def layer_of(submission: Submission, rng: np.random.Generator, width: int = WIDTH) -> Any:
    """Nine tokens, six features, eleven positions; first called with three tokens."""
    config = {"vocab_size": TOKENS, "d_model": width, "max_length": LONGEST}
    return submission.built(NAME, rng, ids(rng, 1, 3), **config)


@exercise.check("two tokens")
def small(submission: Submission, rng: np.random.Generator) -> None:
    layer = layer_of(submission, rng)
    shape = layer.state[EMBEDDINGS].shape
    if shape != (TOKENS, WIDTH):
        message = f"With vocab_size={TOKENS} and d_model={WIDTH} the embeddings have shape {shape}."
        submission.fail(message, "sizes-mixed-up")
    layer.expect(ids(rng, 1, 1))
    layer.expect(ids(rng, 1, 2))


@exercise.check("batches of other lengths")
def batches(submission: Submission, rng: np.random.Generator) -> None:
    layer = layer_of(submission, rng)
    layer.expect(ids(rng, 2, 3))
    with submission.suspecting("length-of-the-first-call"):
        layer.expect(ids(rng, 3, 5))
    layer.expect(ids(rng, 5, 2))
    layer.expect(ids(rng, 2, 7))


@exercise.check("padding gets a vector too")
def padding(submission: Submission, rng: np.random.Generator) -> None:
    tokens = ids(rng, 3, 5)
    tokens[0, 3:] = tokens[1, 1] = tokens[2] = 0
    layer_of(submission, rng).expect(tokens)


@exercise.check("up to max_length tokens")
def longest(submission: Submission, rng: np.random.Generator) -> None:
    layer = layer_of(submission, rng)
    layer.expect(ids(rng, 1, 3))
    layer.expect(ids(rng, 2, LONGEST))


@exercise.check("a first call with max_length tokens")
def longest_first(submission: Submission, rng: np.random.Generator) -> None:
    first = ids(rng, 2, 10)
    layer = submission.built(NAME, rng, first, vocab_size=TOKENS, d_model=4, max_length=10)
    layer.expect(first)
    layer.expect(ids(rng, 2, 3))


@exercise.check("more than max_length tokens")
def too_long(submission: Submission, rng: np.random.Generator) -> None:
    layer = layer_of(submission, rng)
    tokens = ids(rng, 2, LONGEST + 2)
    layer.expect(tokens[:, :4])
    with submission.suspecting("no-length-check"):
        layer.expect_call_error("ValueError", tokens)
        layer.expect_call_error("ValueError", tokens[:, : LONGEST + 1])
        tokens[:, 5:] = 0  # padding counts
        layer.expect_call_error("ValueError", tokens)
    layer.expect(tokens[:, :6])


@exercise.check("odd widths, and a narrow one")
def odd_widths(submission: Submission, rng: np.random.Generator) -> None:
    # What fails here already is not a matter of odd widths.
    layer = layer_of(submission, rng)
    layer.expect(ids(rng, 2, 4))
    for width in (5, 7, 1):
        with submission.suspecting("odd-width-fails"):
            layer = layer_of(submission, rng, width)
        layer.expect(ids(rng, 2, 8))
    layer_of(submission, rng, 2).expect(ids(rng, 2, 4))


@exercise.check("a sentence of the paper's model")
def paper(submission: Submission, rng: np.random.Generator) -> None:
    config = {"vocab_size": TOKENS, "d_model": 512, "max_length": 60}
    submission.built(NAME, rng, ids(rng, 1, 2), **config).expect(ids(rng, 1, 50))


@exercise.check("positions beyond 20000 are accurate")
def far(submission: Submission, rng: np.random.Generator) -> None:
    config = {"vocab_size": TOKENS, "d_model": 16, "max_length": 20_500}
    layer = submission.built(NAME, rng, ids(rng, 1, 2), **config)
    # Without embeddings only the waves are left, and nothing covers their errors.
    layer.write({EMBEDDINGS: np.zeros((TOKENS, 16))})
    layer.expect(ids(rng, 1, 20))  # wrong here already: not the far positions' fault
    with submission.suspecting("computed-in-float32"):
        layer.expect(ids(rng, 1, 20_500))


@exercise.check("the padding mask reaches the next layer, in a model too")
def mask_passed_on(submission: Submission, rng: np.random.Generator) -> None:
    layer = layer_of(submission, rng)
    tokens = ids(rng, 3, 5)
    tokens[0, 0], tokens[0, 1] = 1, TOKENS - 1
    tokens[0, 3:] = tokens[1, 2] = tokens[2] = 0
    layer.expect(tokens)
    for functional in (False, True):
        heard = layer.heard_mask(tokens, functional=functional)
        where = "In a functional model the" if functional else "The"
        if heard is None:
            submission.fail(f"{where} next layer hears no mask.", "mask-dropped")
        if not isinstance(heard, np.ndarray) or heard.shape != tokens.shape:
            shape = getattr(heard, "shape", None)
            message = f"{where} next layer hears a mask of shape {shape}; the tokens have {tokens.shape}."
            submission.fail(message, "mask-of-another-shape")
        real = heard.astype(bool)
        if np.array_equal(real, tokens != 0):
            continue
        which = "mask-inverted" if np.array_equal(real, tokens == 0) else "mask-wrong"
        submission.fail(f"For the tokens\n{tokens}\nthe next layer hears the mask\n{heard}", which)


@exercise.check("one trainable weight, made once")
def weights_once(submission: Submission, rng: np.random.Generator) -> None:
    layer = layer_of(submission, rng)
    layer.expect(ids(rng, 2, 5))
    layer.expect(ids(rng, 1, 2))
    trainable = [weight for weight in layer.inventory() if weight.trainable]
    if len(trainable) != 1:
        shapes = [tuple(weight.shape) for weight in trainable]
        message = f"Expected 1 trainable weight, {EMBEDDINGS}; found {len(trainable)}, of shapes {shapes}."
        submission.fail(message, "waves-trained" if len(trainable) > 1 else "no-gradient")


@exercise.check("gradients reach the embeddings")
def gradients(submission: Submission, rng: np.random.Generator) -> None:
    tokens = ids(rng, 2, 4)
    tokens[1, 2:] = 0
    layer_of(submission, rng).expect_gradients(rng, tokens)


@exercise.check("get_config, from_config, and saved weights")
def round_trips(submission: Submission, rng: np.random.Generator) -> None:
    layer = layer_of(submission, rng)
    tokens = ids(rng, 2, 4)
    layer.expect(tokens)
    with submission.suspecting("config-incomplete"):
        other = layer.reloaded(tokens)
        other.expect(tokens)
        other.expect(ids(rng, 2, LONGEST - 1))


@exercise.check("under jit_compile, and in fit")
def compiled(submission: Submission, rng: np.random.Generator) -> None:
    layer = layer_of(submission, rng)
    tokens = ids(rng, 2, 3)
    layer.expect(tokens)
    with submission.suspecting("not-compilable"):
        layer.expect_compiled(tokens)
    # A layer of its own: the training step changes weights. No padding: fit leaves it out of the loss.
    layer = submission.new(NAME, vocab_size=TOKENS, d_model=WIDTH, max_length=LONGEST)
    layer(tokens)
    layer.randomize(rng)
    layer.expect_fit([tokens], rng.normal(size=(2, 3, WIDTH)).astype(np.float32))
