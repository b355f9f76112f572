"""The encoder-decoder Transformer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from grader import reference
from grader.exercise import Exercise
from grader.submission import LayerState, Submission
from grader.transformer_reference import DECODER_PATHS, ENCODER_PATHS, decoder_layer, encoder_layer

NAME = "Transformer"
LAYERS, WIDTH, HEADS, INNER, SOURCE, TARGET, LONGEST = 2, 8, 2, 11, 7, 9, 6
SIZES = {
    "num_layers": LAYERS,
    "d_model": WIDTH,
    "num_heads": HEADS,
    "d_ff": INNER,
    "source_vocab": SOURCE,
    "target_vocab": TARGET,
    "max_length": LONGEST,
}
EMBEDDINGS = [f"{which}_embedding.token_embedding.embeddings" for which in ("source", "target")]
BATCH, STRINGS, TRAINING_STEPS, DIGITS = 64, 512, 600, 10
COPY, REVERSE = 11, 12  # the first token that goes in says what is to be written; digits are 1 to 10

exercise = Exercise(
    number=27,
    title="The Transformer",
    kind="keras",
    part="Keras layers and Transformers",
    implements=[NAME],
    outputs={NAME: ("logits",)},
    weights={
        NAME: [
            *EMBEDDINGS,
            *(f"encoder_layers.{number}.{path}" for number in range(LAYERS) for path in ENCODER_PATHS),
            *(f"decoder_layers.{number}.{path}" for number in range(LAYERS) for path in DECODER_PATHS),
            "output_dense.kernel",
            "output_dense.bias",
        ]
    },
    lesson="11_transformer#exercise-27-the-transformer",
    minutes=30,
    difficulty=3,
    seconds=20.0,
    memory_mib=2048,
    forbidden=["tensorflow*", "torch*", "jax*"],
    hints=[
        "Two towers: embed the source and send it through all encoder layers; embed the target and send it "
        "through all decoder layers, each of which also reads what came out of the encoder tower.",
        "Both need to know which source tokens are real: real = source != 0, (B, S). An encoder layer "
        "takes a mask over queries and keys: add an axis, (B, 1, S). A decoder layer takes "
        "memory_mask=real. The lists are made with a comprehension, so that every layer is an object of "
        "its own.",
        "memory = self.source_embedding(source); for layer in self.encoder_layers: memory = layer(memory, "
        "attention_mask=real[:, None, :]); x = self.target_embedding(target_in); for layer in "
        "self.decoder_layers: x = layer(x, memory, memory_mask=real); return self.output_dense(x).",
    ],
)


def sinusoids(length: int, width: int) -> np.ndarray:
    """Sine in even, cosine in odd columns (Vaswani et al. 2017, section 3.5)."""
    columns = np.arange(width)
    angles = np.arange(length)[:, None] / 10000.0 ** (columns // 2 * 2 / width)
    return np.where(columns % 2, np.cos(angles), np.sin(angles))


def embed(layer: LayerState, which: str, tokens: np.ndarray) -> np.ndarray:
    vectors = layer[f"{which}_embedding.token_embedding.embeddings"][tokens]
    return vectors * np.sqrt(vectors.shape[-1]) + sinusoids(tokens.shape[1], vectors.shape[-1])


def everything(tokens: np.ndarray) -> np.ndarray:
    return np.ones(tokens.shape, bool)


def real_tokens(tokens: np.ndarray) -> np.ndarray:
    return tokens != 0


def real_pairs(tokens: np.ndarray) -> np.ndarray:
    """The mask that Keras makes of the embedding's, for the first layer only: it closes queries as well."""
    return (tokens != 0)[:, None] & (tokens != 0)[:, :, None]


def transformer(
    layer: LayerState,
    inputs: Sequence[np.ndarray],
    training: bool | None = None,
    *,
    pairing: Callable[..., Any] = lambda source, target_in: (source, target_in),
    embedding: Callable[..., np.ndarray] = embed,
    encoder_mask: Callable[[np.ndarray, int], np.ndarray] = lambda source, number: real_tokens(source),
    encoder_input: Callable[..., np.ndarray] = lambda states: states[-1],
    starting: Callable[..., np.ndarray] = lambda embedded, memory: embedded,
    decoder_mask: Callable[..., np.ndarray] = lambda source, target_in: real_tokens(source),
    decoder_input: Callable[..., np.ndarray] = lambda states: states[-1],
    memory_of: Callable[..., np.ndarray] = lambda states, number: states[-1],
    depth: int | None = None,
    finishing: Callable[[np.ndarray], np.ndarray] = lambda logits: logits,
) -> np.ndarray:
    """The right answer without dropout; each keyword replaces one step by a mistaken one."""
    source, target_in = pairing(*inputs)
    count = layer.config["num_layers"] if depth is None else depth
    memory = [embedding(layer, "source", source)]
    for number in range(count):
        mask = encoder_mask(source, number)
        mask = mask[:, None] if mask.ndim == 2 else mask
        part = layer.below(f"encoder_layers.{number}")
        memory.append(encoder_layer(part, encoder_input(memory), mask))
    states = [starting(embedding(layer, "target", target_in), memory[-1])]
    for number in range(count):
        part, mask = layer.below(f"decoder_layers.{number}"), decoder_mask(source, target_in)
        states.append(decoder_layer(part, decoder_input(states), memory_of(memory, number), mask))
    return finishing(states[-1] @ layer["output_dense.kernel"] + layer["output_dense.bias"])


exercise.oracle(NAME)(transformer)


def mistake(
    id: str, explanation: str, wrong: Mapping[str, str], on: Sequence[str] = (), **steps: Any
) -> None:
    """Register a misconception that is the oracle with some steps replaced."""

    def function(layer: LayerState, *args: Any, **kwargs: Any) -> Any:
        return transformer(layer, *args, **kwargs, **steps)

    exercise.misconception(id, explanation, wrong=wrong, on=on)(function)


def shifted(tokens: np.ndarray, by: int) -> np.ndarray:
    """Tokens moved right (1), the first one repeated, or left (-1), padded with 0."""
    if by > 0:
        return np.concatenate([tokens[:, :1], tokens[:, :-1]], axis=1)
    return np.pad(tokens, ((0, 0), (0, 1)))[:, 1:]


UNPACK = "source, target_in = inputs"
REAL = "real = ops.not_equal(source, 0)  # (B, S)"
EMBED_SOURCE = "memory = self.source_embedding(source)"
EMBED_TARGET = "x = self.target_embedding(target_in)"
ENCODE = "memory = layer(memory, attention_mask=ops.expand_dims(real, 1), training=training)"
DECODE = "x = layer(x, memory, memory_mask=real, training=training)"
RETURN = "return self.output_dense(x)"
MAKE_ENCODER = "TransformerEncoderLayer(d_model, num_heads, d_ff, dropout) for _ in range(num_layers)"
MAKE_DECODER = "TransformerDecoderLayer(d_model, num_heads, d_ff, dropout) for _ in range(num_layers)"
MAKE_SOURCE = "self.source_embedding = PositionalEmbedding(source_vocab, d_model, max_length)"
MAKE_TARGET = "self.target_embedding = PositionalEmbedding(target_vocab, d_model, max_length)"
MAKE_OUTPUT = "self.output_dense = layers.Dense(target_vocab)"

mistake(
    "source-padding-read",
    "Nothing keeps the layers from attending to the source's padding: both towers need the mask.",
    {
        EMBED_SOURCE: f"{EMBED_SOURCE} * 1.0",
        ENCODE: "memory = layer(memory, training=training)",
        DECODE: "x = layer(x, memory, training=training)",
    },
    encoder_mask=lambda source, number: everything(source),
    decoder_mask=lambda source, target_in: everything(source),
)
mistake(
    "encoder-mask-dropped",
    "The encoder attends to padding from its second layer on. The embedding's Keras mask reaches the first "
    "layer only: pass attention_mask to every one.",
    {ENCODE: "memory = layer(memory, training=training)"},
    encoder_mask=lambda source, number: everything(source) if number else real_pairs(source),
)
mistake(
    "encoder-mask-missing",
    "The encoder attends to the source's padding: its layers need attention_mask.",
    {
        EMBED_SOURCE: f"{EMBED_SOURCE} * 1.0",
        ENCODE: "memory = layer(memory, training=training)",
    },
    encoder_mask=lambda source, number: everything(source),
)
mistake(
    "memory-mask-missing",
    "The decoder attends to the source's padding: its layers need memory_mask.",
    {DECODE: "x = layer(x, memory, training=training)"},
    encoder_mask=lambda source, number: real_tokens(source) if number else real_pairs(source),
    decoder_mask=lambda source, target_in: everything(source),
)
mistake(
    "memory-mask-of-target",
    "The cross-attention gets the target's mask. What is attended to is the memory, so the mask is the "
    "source's.",
    {DECODE: DECODE.replace("real", "ops.not_equal(target_in, 0)")},
    encoder_mask=lambda source, number: real_tokens(source) if number else real_pairs(source),
    decoder_mask=lambda source, target_in: real_tokens(target_in),
)
mistake(
    "mask-inverted",
    "The mask is the wrong way round: True means that a position may be attended to, so real tokens are "
    "True.",
    {REAL: "real = ops.equal(source, 0)"},
    encoder_mask=lambda source, number: ~real_tokens(source),
    decoder_mask=lambda source, target_in: ~real_tokens(source),
)
mistake(
    "memory-is-embedding",
    "The decoder attends to the embedded source; the memory is what the last encoder layer returns.",
    {
        EMBED_TARGET: f"{EMBED_TARGET}\n        embedded = self.source_embedding(source) * 1.0",
        DECODE: DECODE.replace("memory,", "embedded,"),
    },
    memory_of=lambda states, number: states[0],
)
mistake(
    "memory-of-same-level",
    "Decoder layer n attends to the output of encoder layer n. Every decoder layer attends to the last "
    "one's.",
    {
        EMBED_SOURCE: f"{EMBED_SOURCE}\n        levels = []",
        ENCODE: f"{ENCODE}\n            levels.append(memory)",
        "for layer in self.decoder_layers:": "for layer, memory in zip(self.decoder_layers, levels):",
    },
    memory_of=lambda states, number: states[number + 1],
)
mistake(
    "encoder-not-stacked",
    "Every encoder layer reads the embedded source, so only the last one counts; each reads what the one "
    "before it returned.",
    {
        EMBED_SOURCE: "embedded = self.source_embedding(source) * 1.0",
        ENCODE: ENCODE.replace("layer(memory", "layer(embedded"),
    },
    encoder_input=lambda states: states[0],
)
mistake(
    "decoder-not-stacked",
    "Every decoder layer reads the embedded target, so only the last one counts; each reads what the one "
    "before it returned.",
    {
        EMBED_TARGET: "embedded = self.target_embedding(target_in) * 1.0",
        DECODE: DECODE.replace("layer(x", "layer(embedded"),
    },
    decoder_input=lambda states: states[0],
)
mistake(
    "decoder-reads-memory-only",
    "The decoder's first layer starts from the memory; it starts from the embedded target.",
    {EMBED_TARGET: "x = memory"},
    on=["unused:target_embedding.token_embedding"],
    starting=lambda embedded, memory: memory,
)
mistake(
    "inputs-swapped",
    "The inputs are unpacked the wrong way round: (source, target_in) comes in.",
    {UNPACK: "target_in, source = inputs"},
    pairing=lambda source, target_in: (target_in, source),
)
mistake(
    "scaled-twice",
    "The embeddings are multiplied by sqrt(d_model) once more; PositionalEmbedding does it already.",
    {
        EMBED_SOURCE: f"{EMBED_SOURCE} * self.d_model**0.5",
        EMBED_TARGET: f"{EMBED_TARGET} * self.d_model**0.5",
    },
    embedding=lambda layer, which, tokens: embed(layer, which, tokens) * np.sqrt(WIDTH),
)
mistake(
    "positions-missing",
    "The tokens are embedded without their positions: call source_embedding and target_embedding "
    "themselves, not what is inside them.",
    {
        EMBED_SOURCE: EMBED_SOURCE.replace("(source)", ".token_embedding(source)"),
        EMBED_TARGET: EMBED_TARGET.replace("(target_in)", ".token_embedding(target_in)"),
    },
    embedding=lambda layer, which, tokens: layer[f"{which}_embedding.token_embedding.embeddings"][tokens],
)
mistake(
    "target-shifted-again",
    "The target is shifted to the right once more. target_in is shifted already.",
    {
        EMBED_TARGET: "late = ops.concatenate([target_in[:, :1], target_in[:, :-1]], axis=1)\n"
        "        x = self.target_embedding(late)"
    },
    pairing=lambda source, target_in: (source, shifted(target_in, 1)),
)
mistake(
    "next-token-read",
    "Position t reads target_in[:, t + 1], the very token that it is to predict.",
    {EMBED_TARGET: "x = self.target_embedding(ops.pad(target_in, [[0, 0], [0, 1]])[:, 1:])"},
    pairing=lambda source, target_in: (source, shifted(target_in, -1)),
)
mistake(
    "softmax-on-logits",
    "The outputs went through a softmax: these are probabilities. Logits are asked for, and the loss takes "
    "from_logits=True.",
    {MAKE_OUTPUT: 'self.output_dense = layers.Dense(target_vocab, activation="softmax")'},
    finishing=reference.softmax,
)
mistake(
    "last-position-only",
    "Only the last position's logits come back; (B, T, target_vocab) is asked for.",
    {RETURN: f"{RETURN}[:, -1]"},
    finishing=lambda logits: logits[:, -1],
)
mistake(
    "num-layers-ignored",
    "Each tower has one layer; num_layers is asked for.",
    {
        MAKE_ENCODER: MAKE_ENCODER.replace("num_layers", "1"),
        MAKE_DECODER: MAKE_DECODER.replace("num_layers", "1"),
    },
    on=["short:encoder_layers", "short:decoder_layers"],
    depth=1,
)

exercise.behaviour(
    "one-layer-repeated",
    "The layers of a list are one and the same object ([layer] * num_layers), so they share their weights. "
    "Make each one anew, in a comprehension.",
    wrong={
        f"[\n            {MAKE_ENCODER}\n        ]": (
            "[TransformerEncoderLayer(d_model, num_heads, d_ff, dropout)] * num_layers"
        ),
        f"[\n            {MAKE_DECODER}\n        ]": (
            "[TransformerDecoderLayer(d_model, num_heads, d_ff, dropout)] * num_layers"
        ),
    },
)
exercise.behaviour(
    "one-embedding",
    "Source and target share one embedding. They are different vocabularies: source_embedding has "
    "source_vocab rows, target_embedding target_vocab.",
    wrong={MAKE_TARGET: "self.target_embedding = self.source_embedding"},
)
exercise.behaviour(
    "made-in-call",
    "A sublayer is built inside call(): it starts with fresh random weights at every call and never "
    "learns. Make the sublayers once, in __init__.",
    on=["no-weights", "new-state"],
    wrong={RETURN: "return layers.Dense(self.target_vocab)(x)", MAKE_OUTPUT: "pass"},
)
exercise.behaviour(
    "output-dense-unused",
    "output_dense is made, and nothing calls it: the states come back, (B, T, d_model).",
    on=["unused:output_dense"],
    wrong={RETURN: "return x"},
)
exercise.behaviour(
    "misnamed-sublayers",
    "The sublayers have other names: the tests read and set weights by the names that are given.",
    on=["misnamed"],
    wrong={MAKE_OUTPUT: MAKE_OUTPUT.replace("output_dense", "final"), RETURN: "return self.final(x)"},
)
exercise.behaviour(
    "dropout-at-inference",
    "Dropout is active outside training: hand `training` on as it comes, not as True.",
    wrong={ENCODE: ENCODE.replace("=training", "=True"), DECODE: DECODE.replace("=training", "=True")},
)
exercise.behaviour(
    "no-dropout-in-training",
    "There is no dropout in training: hand `training` on as it comes, not as False.",
    wrong={ENCODE: ENCODE.replace("=training", "=False"), DECODE: DECODE.replace("=training", "=False")},
)
exercise.behaviour(
    "dropout-rate-ignored",
    "The rate `dropout` does not reach the layers, which use their own default.",
    wrong={
        MAKE_ENCODER: MAKE_ENCODER.replace(", dropout)", ")"),
        MAKE_DECODER: MAKE_DECODER.replace(", dropout)", ")"),
    },
)
exercise.behaviour(
    "too-long-truncated",
    "A sequence longer than max_length is cut off silently; it must raise ValueError, as "
    "PositionalEmbedding does.",
    on=["no-error"],
    wrong={
        UNPACK: f"{UNPACK}\n        source, target_in = source[:, : self.max_length], target_in[:, : "
        "self.max_length]"
    },
)
exercise.behaviour(
    "gradient-stopped",
    "Part of the computation is cut off from training (stop_gradient, trainable=False, a detour over "
    "NumPy): a gradient is missing or too small.",
    on=["no-gradient"],
    wrong={EMBED_TARGET: f"memory = ops.stop_gradient(memory)\n        {EMBED_TARGET}"},
)
exercise.behaviour(
    "config-incomplete",
    "get_config leaves something out, so that the model cannot be built again from it.",
    wrong={'            "max_length": self.max_length,\n            "dropout"': '            "dropout"'},
)
exercise.behaviour(
    "not-compilable",
    "It works when it is called, and not when it is compiled: call looks at the values of tensors (if, "
    "float, NumPy).",
    wrong={RETURN: f"if float(ops.max(x)) > 1e8:\n            return None\n        {RETURN}"},
)
exercise.behaviour(
    "batch-size-fixed",
    "It works when it is called, and not in fit: there the size of the batch is unknown, so call cannot "
    "use shape[0] as a number. Let it broadcast, or use -1 or ops.shape.",
    wrong={REAL: "real = ops.not_equal(source, ops.zeros((source.shape[0], 1), dtype=source.dtype))"},
)


def ids(rng: np.random.Generator, *shape: int, below: int) -> np.ndarray:
    """Tokens without padding."""
    return rng.integers(1, below, size=shape).astype(np.int32)


def padded(tokens: np.ndarray, *lengths: int) -> np.ndarray:
    """Keep the first tokens of each row; the others become padding."""
    return np.where(np.arange(tokens.shape[1]) < np.array(lengths)[:, None], tokens, 0).astype(np.int32)


def model_of(submission: Submission, rng: np.random.Generator) -> Any:
    """Two layers, every size its own; no dropout."""
    first = [ids(rng, 2, 4, below=SOURCE), ids(rng, 2, 4, below=SOURCE)]
    return submission.built(NAME, rng, first, **SIZES, dropout=0.0)


def finite_logits(
    submission: Submission, model: Any, inputs: list[np.ndarray], **kwargs: Any
) -> np.ndarray:
    """The logits, finite and of the right shape."""
    logits = model.output(inputs, **kwargs)
    wanted = (*inputs[1].shape, TARGET)
    if logits.shape != wanted:
        submission.fail(f"Expected logits of shape {wanted}; received {logits.shape}.")
    return logits


@exercise.check("the sublayers, and their sizes")
def sizes(submission: Submission, rng: np.random.Generator) -> None:
    model = submission.new(NAME, **SIZES, dropout=0.0)
    model([ids(rng, 2, 4, below=SOURCE), ids(rng, 2, 4, below=SOURCE)])
    found = model.read(*model.paths)
    for path, rows in zip(EMBEDDINGS, (SOURCE, TARGET), strict=True):
        if found[path].shape != (rows, WIDTH):
            message = f"{path} has shape {found[path].shape}; expected {(rows, WIDTH)}."
            submission.fail(message, "one-embedding")
    trainable = sum(weight.trainable for weight in model.inventory())
    if trainable != len(model.paths):
        message = f"Expected {len(model.paths)} trainable weights; found {trainable}."
        submission.fail(message, "one-layer-repeated" if trainable < len(model.paths) else None)


@exercise.check("one source, one target, of four tokens each")
def small(submission: Submission, rng: np.random.Generator) -> None:
    model = model_of(submission, rng)
    model.expect([ids(rng, 1, 4, below=SOURCE), ids(rng, 1, 4, below=SOURCE)])


@exercise.check("a batch, source and target of different lengths")
def batch(submission: Submission, rng: np.random.Generator) -> None:
    model = model_of(submission, rng)
    model.expect([ids(rng, 3, 5, below=SOURCE), ids(rng, 3, 4, below=SOURCE)])
    model.expect([ids(rng, 2, 1, below=SOURCE), ids(rng, 2, LONGEST, below=TARGET)])


@exercise.check("padding in the source changes nothing")
def source_padding(submission: Submission, rng: np.random.Generator) -> None:
    model = model_of(submission, rng)
    target_in = ids(rng, 3, 4, below=SOURCE)
    source = padded(ids(rng, 3, 4, below=SOURCE), 4, 2, 3)
    model.expect([source, target_in])
    model.expect([np.pad(source, ((0, 0), (0, 2))), target_in])


@exercise.check("a source that is all padding gives finite logits")
def empty_source(submission: Submission, rng: np.random.Generator) -> None:
    model = model_of(submission, rng)
    source, target_in = padded(ids(rng, 3, 5, below=SOURCE), 5, 0, 3), ids(rng, 3, 4, below=SOURCE)
    logits = finite_logits(submission, model, [source, target_in])
    expected = model.expect([source[[0, 2]], target_in[[0, 2]]])
    if not np.allclose(logits[[0, 2]], expected, atol=1e-4):
        submission.fail("An empty source changed the logits of other examples of the batch.")


@exercise.check("targets with padding at the end")
def target_padding(submission: Submission, rng: np.random.Generator) -> None:
    model = model_of(submission, rng)
    target_in = padded(ids(rng, 3, 5, below=SOURCE), 5, 2, 4)
    real = (target_in != 0)[..., None]
    source = padded(ids(rng, 3, 5, below=SOURCE), 2, 5, 3)
    # The logits at padding are free.
    model.expect_viewed(lambda logits: np.where(real, logits, 0).astype(logits.dtype), [source, target_in])


@exercise.check("no position sees later targets")
def causal(submission: Submission, rng: np.random.Generator) -> None:
    model = model_of(submission, rng)
    source, target_in = ids(rng, 2, 4, below=SOURCE), ids(rng, 2, 5, below=TARGET)
    before = finite_logits(submission, model, [source, target_in])
    for place in range(1, 5):
        changed = target_in.copy()
        changed[:, place] = changed[:, place] % (TARGET - 1) + 1
        after = finite_logits(submission, model, [source, changed])
        if not np.allclose(before[:, :place], after[:, :place], atol=1e-5):
            message = f"A change of target_in at position {place} changed logits before it."
            submission.fail(message, "next-token-read")


@exercise.check("dropout in training only, at the given rate")
def dropout(submission: Submission, rng: np.random.Generator) -> None:
    inputs = [ids(rng, 2, 4, below=SOURCE), ids(rng, 2, 4, below=SOURCE)]
    model = model_of(submission, rng)
    model.expect(inputs)
    with submission.suspecting("dropout-rate-ignored"):
        model.expect(inputs, training=True)  # a rate of 0
    model = submission.built(NAME, rng, inputs, **SIZES, dropout=0.5)
    with submission.suspecting("dropout-at-inference"):
        expected = model.expect(inputs, training=False)
    first, second = (finite_logits(submission, model, inputs, training=True) for _ in range(2))
    if np.allclose(first, expected, atol=1e-3) or np.allclose(first, second, atol=1e-3):
        message = "With training=True and dropout=0.5 the logits are as without dropout."
        submission.fail(message, "no-dropout-in-training")


@exercise.check("longer than max_length raises ValueError")
def too_long(submission: Submission, rng: np.random.Generator) -> None:
    model = model_of(submission, rng)
    short, long = ids(rng, 2, 3, below=SOURCE), ids(rng, 2, LONGEST + 1, below=SOURCE)
    model.expect([short, short])
    model.expect_call_error("ValueError", [long, short])
    model.expect_call_error("ValueError", [short, long])


@exercise.check("gradients reach every weight")
def gradients(submission: Submission, rng: np.random.Generator) -> None:
    model = model_of(submission, rng)
    inputs = [padded(ids(rng, 2, 4, below=SOURCE), 4, 3), ids(rng, 2, 3, below=SOURCE)]
    model.expect(inputs)
    with submission.suspecting("gradient-stopped"):
        model.expect_gradients(rng, inputs)


@exercise.check("get_config, from_config, and saved weights")
def round_trips(submission: Submission, rng: np.random.Generator) -> None:
    model = model_of(submission, rng)
    inputs = [ids(rng, 2, 4, below=SOURCE), ids(rng, 2, 3, below=SOURCE)]
    model.expect(inputs)
    with submission.suspecting("config-incomplete"):
        model.reloaded(inputs).expect(inputs)


@exercise.check("under jit_compile", costly=True)
def compiled(submission: Submission, rng: np.random.Generator) -> None:
    model = model_of(submission, rng)
    inputs = [padded(ids(rng, 2, 3, below=SOURCE), 3, 2), ids(rng, 2, 2, below=SOURCE)]
    model.expect(inputs)
    with submission.suspecting("not-compilable"):
        model.expect_compiled(inputs)


def tasks(rng: np.random.Generator, count: int) -> tuple[list[np.ndarray], np.ndarray]:
    """Strings of digits to be copied or reversed, as the first token says: [source, target_in], labels."""
    lengths = rng.integers(LONGEST - 2, LONGEST + 1, size=count)[:, None]
    places = np.arange(LONGEST)
    source = padded(ids(rng, count, LONGEST, below=DIGITS + 1), *lengths[:, 0])
    backwards = np.take_along_axis(source, (lengths - 1 - places) % LONGEST, axis=1)
    task = rng.choice([COPY, REVERSE], size=(count, 1))
    labels = np.where(places < lengths, np.where(task == REVERSE, backwards, source), 0).astype(np.int32)
    return [source, np.concatenate([task, labels[:, :-1]], axis=1).astype(np.int32)], labels


@exercise.check("it learns to copy and to reverse strings of digits", seconds=120.0, costly=True)
def learns(submission: Submission, rng: np.random.Generator) -> None:
    submission.seed_keras(int(rng.integers(2**31)))
    model = submission.new(
        NAME,
        num_layers=1,
        d_model=32,
        num_heads=4,
        d_ff=64,
        source_vocab=DIGITS + 1,
        target_vocab=REVERSE + 1,
        max_length=LONGEST,
        dropout=0.0,
    )
    # The last batch is smaller, so that the size of a batch is not known beforehand.
    inputs, labels = tasks(rng, BATCH * TRAINING_STEPS - BATCH // 2)
    model([array[:2] for array in inputs])  # built by a call, as elsewhere
    with submission.suspecting("batch-size-fixed"):
        model.train(inputs, labels, learning_rate=0.003, batch_size=BATCH)
    inputs, labels = tasks(rng, STRINGS)
    logits = model.output(inputs)
    if logits.shape != (STRINGS, LONGEST, REVERSE + 1):
        submission.fail(
            f"Expected logits of shape {(STRINGS, LONGEST, REVERSE + 1)}; received {logits.shape}."
        )
    right = (np.argmax(logits, axis=-1) == labels)[labels != 0]
    if np.mean(right) < 0.95:
        submission.fail(
            f"After {TRAINING_STEPS} steps of {BATCH} strings it gets {np.mean(right):.1%} of the digits "
            "of new strings right; at least 95% is asked for."
        )
