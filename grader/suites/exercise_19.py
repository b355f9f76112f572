"""An LSTM encoder-decoder with Bahdanau attention."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from grader import reference
from grader.exercise import Exercise
from grader.submission import LayerState, Submission

ENCODER, DECODER, MODEL = "Encoder", "Decoder", "Seq2Seq"
STEP = f"{DECODER}.step"
RECURRENT = ("kernel", "recurrent_kernel", "bias")
ENCODER_WEIGHTS = ["embedding.embeddings", *(f"lstm.cell.{kind}" for kind in RECURRENT)]
DECODER_WEIGHTS = [
    "embedding.embeddings",
    *(f"attention.{d}_dense.{k}" for d in ("query", "value", "score") for k in ("kernel", "bias")),
    *(f"lstm_cell.{kind}" for kind in RECURRENT),
    "output_dense.kernel",
    "output_dense.bias",
]
BATCH, STRINGS, TRAINING_STEPS, LONGEST = 64, 256, 250, 6
RATES = (0.01, 0.003, 0.001)  # of the rounds of training
DIGITS, START = 10, 11  # digits are 1 to 10; 0 is padding

exercise = Exercise(
    number=19,
    title="An LSTM encoder-decoder with attention",
    kind="keras",
    part="Recurrent attention",
    implements=[ENCODER, DECODER, MODEL],
    outputs={ENCODER: ("outputs", "h", "c"), STEP: ("logits", "states", "weights"), MODEL: ("logits",)},
    weights={
        ENCODER: ENCODER_WEIGHTS,
        DECODER: DECODER_WEIGHTS,
        MODEL: [
            *(f"encoder.{path}" for path in ENCODER_WEIGHTS),
            *(f"decoder.{path}" for path in DECODER_WEIGHTS),
        ],
    },
    lesson="08_lstm_attention_seq2seq#exercise-19-the-whole-model",
    minutes=45,
    difficulty=3,
    memory_mib=2048,  # JAX takes 1.2 GiB, most of it to compile
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
        "Start with the encoder: the decoder needs the LSTM's output at every position and its last h and "
        "c, so the LSTM needs return_sequences and return_state, and the mask of what is real.",
        "A step is four lines, in the order of the formulas: attend with states[0]; join the embedded "
        "token and the context; one call of lstm_cell, which returns its output and the list of "
        "new states; output_dense on the new h beside the same context. Seq2Seq is a loop that hands the "
        "states on.",
        "context, weights = self.attention(states[0], encoder_outputs, mask=mask); h, states = "
        "self.lstm_cell(ops.concatenate([self.embedding(token), context], axis=-1), states); logits = "
        "self.output_dense(ops.concatenate([h, context], axis=-1)). In Seq2Seq: states = [h, c] of the "
        "encoder, then for t in range(target_in.shape[1]): a step with target_in[:, t], and ops.stack of "
        "the logits along axis 1.",
    ],
)


def lstm_step(x: np.ndarray, h: np.ndarray, c: np.ndarray, part: LayerState, name: str) -> Any:
    """One step of Keras's LSTM: gates in the order input, forget, candidate, output."""
    z = x @ part[f"{name}.kernel"] + h @ part[f"{name}.recurrent_kernel"] + part[f"{name}.bias"]
    admit, forget, candidate, show = np.split(z, 4, axis=-1)
    c = reference.sigmoid(forget) * c + reference.sigmoid(admit) * np.tanh(candidate)
    return reference.sigmoid(show) * np.tanh(c), c


def attend(query: np.ndarray, values: np.ndarray, mask: np.ndarray | None, part: LayerState) -> Any:
    """Additive attention: context and weights."""
    queries = query @ part["attention.query_dense.kernel"] + part["attention.query_dense.bias"]
    keys = values @ part["attention.value_dense.kernel"] + part["attention.value_dense.bias"]
    hidden = np.tanh(queries[:, None] + keys)
    scores = (hidden @ part["attention.score_dense.kernel"] + part["attention.score_dense.bias"])[..., 0]
    weights = reference.softmax(reference.masked(scores, mask))
    return np.einsum("bt,btd->bd", weights, values), weights


def encode(
    layer: LayerState,
    tokens: np.ndarray,
    *,
    prefix: str = "",
    reading: Callable[[np.ndarray], np.ndarray] = lambda tokens: tokens != 0,
    encoding: Callable[..., Any] = lambda outputs, h, c: (outputs, h, c),
    **_: Any,
) -> Any:
    """The encoder's right answer; keywords replace steps by mistaken ones."""
    part = layer.below(prefix) if prefix else layer
    embedded = part["embedding.embeddings"][tokens]
    real = reading(tokens)
    h = c = np.zeros((len(tokens), part["lstm.cell.recurrent_kernel"].shape[0]))
    outputs = []
    for t in range(tokens.shape[1]):
        new_h, new_c = lstm_step(embedded[:, t], h, c, part, "lstm.cell")
        h, c = np.where(real[:, t, None], new_h, h), np.where(real[:, t, None], new_c, c)
        outputs.append(h)
    return encoding(np.stack(outputs, axis=1), h, c)


def step(
    layer: LayerState,
    token: np.ndarray,
    states: Sequence[np.ndarray],
    encoder_outputs: np.ndarray,
    mask: np.ndarray | None,
    *,
    prefix: str = "",
    querying: Callable[..., np.ndarray] = lambda h, c: h,
    allowing: Callable[..., Any] = lambda mask: mask,
    joining: Callable[..., Any] = lambda embedded, context, weights: [embedded, context],
    remembering: Callable[..., Any] = lambda h, c: (h, c),
    showing: Callable[..., Any] = lambda h, old_h, context, again: [h, context],
    finishing: Callable[[np.ndarray], np.ndarray] = lambda logits: logits,
    returning: Callable[..., Any] = lambda logits, states, weights, old: (logits, states, weights),
    returning_context: bool = False,
    **_: Any,
) -> Any:
    """A decoder step's right answer; keywords replace steps by mistaken ones."""
    part = layer.below(prefix) if prefix else layer
    h, c = states
    mask = allowing(mask)
    context, weights = attend(querying(h, c), encoder_outputs, mask, part)
    joined = np.concatenate(joining(part["embedding.embeddings"][token], context, weights), axis=-1)
    new_h, new_c = lstm_step(joined, *remembering(h, c), part, "lstm_cell")

    def again() -> Any:
        return attend(new_h, encoder_outputs, mask, part)[0]

    shown = np.concatenate(showing(new_h, h, context, again), axis=-1)
    logits = finishing(shown @ part["output_dense.kernel"] + part["output_dense.bias"])
    return returning(logits, [new_h, new_c], context if returning_context else weights, [h, c])


def translate(
    layer: LayerState,
    inputs: Sequence[np.ndarray],
    training: bool | None = None,
    *,
    starting: Callable[..., Any] = lambda h, c: [h, c],
    source_mask: Callable[[np.ndarray], Any] = lambda source: source != 0,
    forcing: Callable[..., np.ndarray] = lambda target_in, t, logits: target_in[:, t],
    rounds: Callable[[int], range] = range,
    carrying: Callable[..., Any] = lambda states, first: states,
    stacking: Callable[[list[np.ndarray]], np.ndarray] = lambda logits: np.stack(logits, axis=1),
    **steps: Any,
) -> np.ndarray:
    """The whole model's right answer; keywords replace steps by mistaken ones."""
    source, target_in = inputs
    outputs, h, c = encode(layer, source, prefix="encoder", **steps)
    states = first = starting(h, c)
    logits: list[np.ndarray] = []
    for t in rounds(target_in.shape[1]):
        token = forcing(target_in, t, logits)
        new, states, _ = step(layer, token, states, outputs, source_mask(source), prefix="decoder", **steps)
        states = carrying(states, first)
        logits.append(new)
    return stacking(logits)


exercise.oracle(ENCODER)(encode)
exercise.oracle(STEP)(step)
exercise.oracle(MODEL)(translate)


def mistake(
    id: str,
    explanation: str,
    wrong: Mapping[str, str],
    where: Sequence[str],
    on: Sequence[str] = (),
    **steps: Any,
) -> None:
    """Register a misconception that is an oracle with some steps replaced, for the targets it shows in."""

    def changed(right: Callable[..., Any]) -> Callable[..., Any]:
        return lambda layer, *args, **kwargs: right(layer, *args, **kwargs, **steps)

    functions = {target: changed(exercise.oracles[target]) for target in where}
    exercise.behaviour(id, explanation, wrong=wrong, on=on, functions=functions)


LSTM = 'layers.LSTM(units, return_sequences=True, return_state=True, name="lstm")'
READ = "self.lstm(embedded, mask=ops.not_equal(tokens, 0))"
ENCODED = "        return outputs, h, c\n"
ATTEND = "context, weights = self.attention(states[0], encoder_outputs, mask=mask)"
JOIN = "ops.concatenate([self.embedding(token), context], axis=-1)"
CELL = "h, states = self.lstm_cell(inputs, states)"
LOGITS = "self.output_dense(ops.concatenate([h, context], axis=-1))"
STEPPED = "return logits, states, weights"
START_STATES = "states = [h, c]\n"
DENSE = 'self.output_dense = layers.Dense(vocab_size, name="output_dense")'
LOOP = "for t in range(target_in.shape[1]):"
TOKEN = "self.decoder.step(target_in[:, t], states, outputs, mask)"
STACK = "return ops.stack(logits, axis=1)"
ENCODE = "outputs, h, c = self.encoder(source)"

# The encoder

mistake(
    "padding-read",
    "The encoder's LSTM runs over the padding, so h and c are what is left after it. Give it the mask.",
    {READ: "self.lstm(embedded)"},
    [ENCODER, MODEL],
    reading=lambda tokens: np.ones(tokens.shape, bool),
)
mistake(
    "last-output-only",
    "The encoder keeps only its last output. There is nothing to choose from then: the LSTM needs "
    "return_sequences=True.",
    {LSTM: 'layers.LSTM(units, return_state=True, name="lstm")'},
    [ENCODER],
    encoding=lambda outputs, h, c: (h, h, c),
)
mistake(
    "encoder-states-swapped",
    "The encoder returns c before h.",
    {ENCODED: "        return outputs, c, h\n"},
    [ENCODER, MODEL],
    encoding=lambda outputs, h, c: (outputs, c, h),
)
mistake(
    "encoder-states-missing",
    "The encoder returns its outputs only; h and c, from which the decoder starts, are asked for too.",
    {ENCODED: "        return outputs\n"},
    [ENCODER],
    encoding=lambda outputs, h, c: outputs,
)
mistake(
    "encoder-output-for-c",
    "The encoder returns h twice. An LSTM has two states, and the second, c, is not the first.",
    {ENCODED: "        return outputs, h, h\n"},
    [ENCODER, MODEL],
    encoding=lambda outputs, h, c: (outputs, h, h),
)

# The decoder's step

mistake(
    "attends-with-c",
    "The attention's query is c; it is h, states[0].",
    {ATTEND: ATTEND.replace("states[0]", "states[1]")},
    [STEP, MODEL],
    querying=lambda h, c: c,
)
mistake(
    "mask-ignored",
    "The attention does not get the mask, so padding is attended to.",
    {ATTEND: ATTEND.replace(", mask=mask", "")},
    [STEP, MODEL],
    allowing=lambda mask: None,
)
mistake(
    "mask-inverted",
    "The attention gets the mask the other way round: True means that a position may be attended to.",
    {ATTEND: ATTEND.replace("mask=mask", "mask=ops.logical_not(mask)")},
    [STEP, MODEL],
    allowing=lambda mask: ~np.asarray(mask, bool),
)
mistake(
    "context-not-read",
    "The LSTM cell reads the embedded token only; the context belongs beside it.",
    {JOIN: "self.embedding(token)"},
    [STEP, MODEL],
    joining=lambda embedded, context, weights: [embedded],
)
mistake(
    "weights-for-context",
    "The LSTM cell reads the attention weights in the place of the context. Weights say where to look, not "
    "what is there, and there are as many as the source is long.",
    {JOIN: JOIN.replace("context", "weights")},
    [STEP, MODEL],
    joining=lambda embedded, context, weights: [embedded, weights],
)
mistake(
    "context-before-token",
    "The LSTM cell reads [context, embedded token]; the order is [embedded token, context].",
    {JOIN: "ops.concatenate([context, self.embedding(token)], axis=-1)"},
    [STEP, MODEL],
    joining=lambda embedded, context, weights: [context, embedded],
)
mistake(
    "cell-states-swapped",
    "The LSTM cell gets [c, h]; its states are [h, c].",
    {CELL: "h, states = self.lstm_cell(inputs, [states[1], states[0]])"},
    [STEP, MODEL],
    remembering=lambda h, c: (c, h),
)
mistake(
    "cell-starts-from-zero",
    "The LSTM cell starts from zeros at each step, so what was written is forgotten: give it the states.",
    {CELL: "h, states = self.lstm_cell(inputs, [ops.zeros_like(s) for s in states])"},
    [STEP, MODEL],
    remembering=lambda h, c: (0 * h, 0 * c),
)
mistake(
    "logits-without-context",
    "The logits come from h alone; the context belongs beside it.",
    {LOGITS: "self.output_dense(h)"},
    [STEP, MODEL],
    showing=lambda h, old_h, context, again: [h],
)
mistake(
    "logits-from-context-first",
    "output_dense reads [context, h]; the order is [h, context].",
    {LOGITS: LOGITS.replace("h, context", "context, h")},
    [STEP, MODEL],
    showing=lambda h, old_h, context, again: [context, h],
)
mistake(
    "logits-from-old-state",
    "The logits come from h as it was before the step; they are read from the new one.",
    {
        CELL: "old, (h, states) = states[0], self.lstm_cell(inputs, states)",
        LOGITS: LOGITS.replace("h,", "old,"),
    },
    [STEP, MODEL],
    showing=lambda h, old_h, context, again: [old_h, context],
)
mistake(
    "attends-twice",
    "The logits use a second context, attended to with the new h. This decoder attends once a step, with "
    "the state before it.",
    {LOGITS: LOGITS.replace("context", "self.attention(h, encoder_outputs, mask=mask)[0]")},
    [STEP, MODEL],
    showing=lambda h, old_h, context, again: [h, again()],
)
mistake(
    "softmax-on-logits",
    "The outputs went through a softmax: these are probabilities. Logits are asked for, and the loss takes "
    "from_logits=True.",
    {LOGITS: f"ops.softmax({LOGITS})"},
    [STEP, MODEL],
    finishing=reference.softmax,
)
mistake(
    "old-states-returned",
    "The step returns the states that it was given; the new ones are asked for.",
    {CELL: "h, _ = self.lstm_cell(inputs, states)"},
    [STEP, MODEL],
    returning=lambda logits, states, weights, old: (logits, old, weights),
)
mistake(
    "h-returned-twice",
    "The step returns [h, h]: c is lost.",
    {STEPPED: "return logits, [h, h], weights"},
    [STEP, MODEL],
    returning=lambda logits, states, weights, old: (logits, [states[0], states[0]], weights),
)
mistake(
    "new-states-swapped",
    "The step returns its new states as [c, h]; they are [h, c].",
    {STEPPED: "return logits, [states[1], states[0]], weights"},
    [STEP, MODEL],
    returning=lambda logits, states, weights, old: (logits, states[::-1], weights),
)
mistake(
    "weights-not-returned",
    "The step returns logits and states; the weights are asked for too.",
    {STEPPED: "return logits, states", "logits_t, states, _ =": "logits_t, states ="},
    [STEP],
    returning=lambda logits, states, weights, old: (logits, states),
)
mistake(
    "context-returned",
    "The step returns the context in the place of the weights.",
    {STEPPED: "return logits, states, context"},
    [STEP],
    returning_context=True,
)

# The whole model

mistake(
    "decoder-starts-from-zero",
    "The decoder starts from zeros; it starts from the encoder's h and c.",
    {START_STATES: "states = [ops.zeros_like(h), ops.zeros_like(c)]\n"},
    [MODEL],
    starting=lambda h, c: [0 * h, 0 * c],
)
mistake(
    "decoder-c-from-zero",
    "The decoder starts with c = 0; it starts from both states of the encoder, h and c.",
    {START_STATES: "states = [h, ops.zeros_like(c)]\n"},
    [MODEL],
    starting=lambda h, c: [h, 0 * c],
)
mistake(
    "source-mask-missing",
    "Seq2Seq gives its steps no mask, so the decoder attends to the source's padding.",
    {"mask = ops.not_equal(source, 0)": "mask = ops.ones_like(source)"},
    [MODEL],
    source_mask=lambda source: np.ones(source.shape, bool),
)
mistake(
    "own-predictions-read",
    "Each step reads the token that the step before predicted. Training is by teacher forcing: step t "
    "reads target_in[:, t].",
    {TOKEN: TOKEN.replace("target_in[:, t]", "ops.argmax(logits[-1], axis=-1) if t else target_in[:, 0]")},
    [MODEL],
    forcing=lambda target_in, t, logits: np.argmax(logits[-1], axis=-1) if t else target_in[:, 0],
)
mistake(
    "later-token-read",
    "Step t reads target_in[:, t + 1], the very token that it is to predict.",
    {TOKEN: TOKEN.replace("[:, t]", "[:, min(t + 1, target_in.shape[1] - 1)]")},
    [MODEL],
    forcing=lambda target_in, t, logits: target_in[:, min(t + 1, target_in.shape[1] - 1)],
)
mistake(
    "first-token-always",
    "Every step reads the first target token; step t reads target_in[:, t].",
    {TOKEN: TOKEN.replace("[:, t]", "[:, 0]")},
    [MODEL],
    forcing=lambda target_in, t, logits: target_in[:, 0],
)
mistake(
    "first-step-missing",
    "There are T_out - 1 steps: the loop starts at 1. target_in is shifted already, so every token of it "
    "is read and gives logits.",
    {LOOP: "for t in range(1, target_in.shape[1]):"},
    [MODEL],
    rounds=lambda count: range(1, count),
)
mistake(
    "states-not-carried",
    "Every step starts from the encoder's states; each must go on from the states of the one before.",
    {"logits_t, states, _ =": "logits_t, _, _ ="},
    [MODEL],
    carrying=lambda states, first: first,
)
mistake(
    "time-axis-first",
    "The logits are stacked along axis 0: (T_out, B, V). (B, T_out, V) is asked for.",
    {STACK: "return ops.stack(logits, axis=0)"},
    [MODEL],
    stacking=lambda logits: np.stack(logits, axis=0),
)
mistake(
    "last-logits-only",
    "Only the last step's logits come back; (B, T_out, V) is asked for.",
    {STACK: "return logits[-1]"},
    [MODEL],
    stacking=lambda logits: logits[-1],
)

# Behaviour

exercise.behaviour(
    "sizes-mixed-up",
    "A sublayer does not have the size that was asked for. The encoder's embedding has source_vocab rows, "
    "the decoder's target_vocab, both embedding_dim columns. output_dense has target_vocab features, all "
    "else `units`.",
    wrong={
        "Encoder(source_vocab, embedding_dim,": "Encoder(target_vocab, embedding_dim,",
        "Decoder(target_vocab, embedding_dim,": "Decoder(source_vocab, embedding_dim,",
    },
)
exercise.behaviour(
    "made-in-step",
    "A sublayer is built inside call() or step(): it starts with fresh random weights each time and never "
    "learns. Make the sublayers once, in __init__, under the names that are given.",
    on=["no-weights", "new-state"],
    wrong={
        LOGITS: LOGITS.replace("self.output_dense", "layers.Dense(self.vocab_size)"),
        DENSE: "pass",
    },
)
exercise.behaviour(
    "sublayer-unused",
    "A sublayer is made, and nothing calls it.",
    on=["unused:output_dense", "unused:decoder.output_dense", "unused:embedding", "unused:lstm"],
    wrong={LOGITS: "ops.concatenate([h, context], axis=-1)"},
)
exercise.behaviour(
    "misnamed-sublayers",
    "The sublayers have other names: the tests read and set weights by the names that are given.",
    on=["misnamed"],
    wrong={
        "self.lstm_cell = layers.LSTMCell": "self.cell = layers.LSTMCell",
        CELL: "h, states = self.cell(inputs, states)",
    },
)
exercise.behaviour(
    "gradient-stopped",
    "Part of the computation is cut off from training (stop_gradient, trainable=False, a detour over "
    "NumPy, an operation without a gradient): a gradient is missing or too small.",
    on=["no-gradient"],
    wrong={ENCODE: "outputs, h, c = (ops.stop_gradient(item) for item in self.encoder(source))"},
)
exercise.behaviour(
    "dropout-added",
    "Equal calls give different results, or training gives others: dropout, noise, or a state that is "
    "kept. There is none in this model.",
    wrong={LSTM: LSTM.replace("units,", "units, dropout=0.2,")},
)
exercise.behaviour(
    "config-incomplete",
    "get_config leaves something out, or mixes something up, so that what is built from it is not the "
    "same. Encoder and Decoder have one each, as Seq2Seq has.",
    wrong={'            "source_vocab": self.source_vocab,\n': ""},
)
exercise.behaviour(
    "not-compilable",
    "It works when it is called, and not when it is compiled, as fit does: call looks at the values of "
    "tensors (if, float, NumPy), or takes the size of the batch, shape[0], for a number.",
    wrong={STACK: f"if float(ops.max(logits[0])) > 1e8:\n            return None\n        {STACK}"},
)
exercise.behaviour(
    "does-not-learn",
    "Each part computes what it should, and yet it does not learn. Look at how the weights start: from "
    "zeros, or all equal, every unit stays like its neighbour.",
    # Zeros everywhere between tokens and logits.
    wrong={
        LSTM: LSTM.replace("units,", 'units, kernel_initializer="zeros",'),
        "layers.LSTMCell(units,": 'layers.LSTMCell(units, kernel_initializer="zeros",',
        "layers.Dense(vocab_size,": 'layers.Dense(vocab_size, kernel_initializer="zeros",',
    },
)


# The checks


def ids(rng: np.random.Generator, *shape: int, below: int) -> np.ndarray:
    """Tokens without padding."""
    return rng.integers(1, below, size=shape).astype(np.int32)


def draw(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return rng.normal(size=shape).astype(np.float32)


def encoder_of(submission: Submission, rng: np.random.Generator) -> Any:
    """Seven tokens, embeddings of width 3, five units."""
    first = ids(rng, 1, 4, below=7)
    return submission.built(ENCODER, rng, first, vocab_size=7, embedding_dim=3, units=5)


def step_inputs(rng: np.random.Generator, batch: int, length: int) -> list[Any]:
    """token, states, encoder_outputs and a mask that allows everything."""
    states = [draw(rng, batch, 5), draw(rng, batch, 5)]
    token = ids(rng, batch, below=9)
    return [token, states, draw(rng, batch, length, 5), np.ones((batch, length), bool)]


def decoder_of(submission: Submission, rng: np.random.Generator) -> Any:
    """Nine tokens, embeddings of width 3, five units; only `step` is ever called."""
    inputs = step_inputs(rng, 2, 4)
    return submission.built(DECODER, rng, *inputs, method="step", vocab_size=9, embedding_dim=3, units=5)


def model_of(submission: Submission, rng: np.random.Generator) -> Any:
    """From seven tokens to nine; embeddings of width 3, five units."""
    first = [ids(rng, 2, 4, below=7), ids(rng, 2, 3, below=7)]
    return submission.built(MODEL, rng, first, source_vocab=7, target_vocab=9, embedding_dim=3, units=5)


def padded(tokens: np.ndarray, *lengths: int) -> np.ndarray:
    """Keep the first tokens of each row; the others become padding."""
    return np.where(np.arange(tokens.shape[1]) < np.array(lengths)[:, None], tokens, 0).astype(np.int32)


@exercise.check("the encoder on one source of three tokens")
def small_encoder(submission: Submission, rng: np.random.Generator) -> None:
    encoder_of(submission, rng).expect(ids(rng, 1, 3, below=7))


@exercise.check("the encoder on a batch, with padding")
def encoder_batch(submission: Submission, rng: np.random.Generator) -> None:
    encoder = encoder_of(submission, rng)
    encoder.expect(ids(rng, 2, 6, below=7))
    tokens = padded(ids(rng, 3, 5, below=7), 5, 2, 4)
    real = (tokens != 0)[..., None]

    def at_real_tokens(outputs: Any) -> Any:
        """The outputs at padding are free."""
        first, h, c = outputs
        return np.where(real, first, 0).astype(first.dtype), h, c

    encoder.expect_viewed(at_real_tokens, tokens)


@exercise.check("one decoder step")
def small_step(submission: Submission, rng: np.random.Generator) -> None:
    decoder_of(submission, rng).expect_method("step", *step_inputs(rng, 1, 2))


@exercise.check("decoder steps on batches, with a mask")
def masked_steps(submission: Submission, rng: np.random.Generator) -> None:
    decoder = decoder_of(submission, rng)
    decoder.expect_method("step", *step_inputs(rng, 2, 4))
    token, states, outputs, mask = step_inputs(rng, 3, 4)
    mask[0, 3:] = mask[2, 1:] = False
    _, states, _ = decoder.expect_method("step", token, states, outputs, mask)
    decoder.expect_method("step", ids(rng, 3, below=9), states, outputs, mask)


@exercise.check("a whole sequence")
def sequence(submission: Submission, rng: np.random.Generator) -> None:
    model = model_of(submission, rng)
    shapes = {path: model.state[path].shape for path in model.paths}
    wanted = {
        "encoder.embedding.embeddings": (7, 3),
        "decoder.embedding.embeddings": (9, 3),
        "decoder.attention.score_dense.kernel": (5, 1),
        "decoder.output_dense.bias": (9,),
    }
    for path, shape in wanted.items():
        if shapes[path] != shape:
            message = f"{path} has shape {shapes[path]}; expected {shape}."
            submission.fail(message, "sizes-mixed-up")
    model.expect([ids(rng, 1, 2, below=7), ids(rng, 1, 3, below=9)])
    model.expect([ids(rng, 2, 4, below=7), ids(rng, 2, 5, below=9)])
    model.expect([ids(rng, 3, 4, below=7), ids(rng, 3, 1, below=9)])
    model.expect([ids(rng, 1, 13, below=7), ids(rng, 1, 12, below=9)])


@exercise.check("padding at the end of the source changes nothing")
def source_padding(submission: Submission, rng: np.random.Generator) -> None:
    model = model_of(submission, rng)
    source, target_in = padded(ids(rng, 3, 5, below=7), 3, 5, 1), ids(rng, 3, 4, below=9)
    model.expect([source, target_in])
    model.expect([np.pad(source, ((0, 0), (0, 3))), target_in])
    target_in = padded(target_in, 4, 2, 3)
    real = (target_in != 0)[..., None]
    # The logits at padding are free.
    model.expect_viewed(lambda logits: np.where(real, logits, 0).astype(logits.dtype), [source, target_in])


@exercise.check("logits do not depend on later targets")
def causal(submission: Submission, rng: np.random.Generator) -> None:
    model = model_of(submission, rng)
    source, target_in = ids(rng, 2, 4, below=7), ids(rng, 2, 5, below=9)
    before = model.output([source, target_in])
    if not np.allclose(before, model.output([source, target_in]), atol=1e-5):
        submission.fail("Two equal calls give different logits.", "dropout-added")
    changed = target_in.copy()
    changed[:, 3:] = changed[:, 3:] % 8 + 1
    after = model.output([source, changed])
    if before.shape != after.shape or before.ndim != 3 or before.shape[1] != 5:
        submission.fail(f"Expected logits of shape (2, 5, 9); received {before.shape}.")
    if not np.allclose(before[:, :3], after[:, :3], atol=1e-5):
        message = "With target_in changed from position 3 on, the logits at positions 0 to 2 changed."
        submission.fail(message, "later-token-read")


@exercise.check("the same in training")
def training(submission: Submission, rng: np.random.Generator) -> None:
    model = model_of(submission, rng)
    inputs = [padded(ids(rng, 2, 4, below=7), 4, 3), ids(rng, 2, 6, below=9)]
    model.expect(inputs)
    with submission.suspecting("dropout-added"):
        model.expect(inputs, training=True)


@exercise.check("gradients reach every weight, the encoder's embedding included")
def gradients(submission: Submission, rng: np.random.Generator) -> None:
    model = model_of(submission, rng)
    inputs = [padded(ids(rng, 2, 4, below=7), 4, 3), ids(rng, 2, 3, below=9)]
    model.expect(inputs)
    with submission.suspecting("gradient-stopped"):
        model.expect_gradients(rng, inputs)


@exercise.check("get_config, from_config, and saved weights")
def round_trips(submission: Submission, rng: np.random.Generator) -> None:
    model = model_of(submission, rng)
    inputs = [ids(rng, 2, 4, below=7), ids(rng, 2, 3, below=9)]
    model.expect(inputs)
    with submission.suspecting("config-incomplete"):
        model.reloaded(inputs).expect(inputs)
        encoder = encoder_of(submission, rng)
        encoder.reloaded(inputs[0]).expect(inputs[0])
        decoder, step = decoder_of(submission, rng), step_inputs(rng, 2, 4)
        other = decoder.rebuilt()
        other.call_method("step", *step)
        other.write(decoder.state.weights)
        other.expect_method("step", *step)


@exercise.check("under jit_compile", costly=True)
def compiled(submission: Submission, rng: np.random.Generator) -> None:
    model = model_of(submission, rng)
    inputs = [padded(ids(rng, 2, 3, below=7), 3, 2), ids(rng, 2, 2, below=9)]
    model.expect(inputs)
    with submission.suspecting("not-compilable"):
        model.expect_compiled(inputs)


def reversals(rng: np.random.Generator, count: int) -> tuple[list[np.ndarray], np.ndarray]:
    """Strings of digits and, as targets, the same strings backwards: [source, target_in] and labels."""
    lengths = rng.integers(LONGEST - 2, LONGEST + 1, size=count)
    places = np.arange(LONGEST)
    source = np.where(places < lengths[:, None], ids(rng, count, LONGEST, below=DIGITS + 1), 0)
    backwards = np.take_along_axis(source, (lengths[:, None] - 1 - places) % LONGEST, axis=1)
    labels = np.where(places < lengths[:, None], backwards, 0).astype(np.int32)
    starts = np.full((count, 1), START, np.int32)
    return [source.astype(np.int32), np.concatenate([starts, labels[:, :-1]], axis=1)], labels


@exercise.check("it learns to reverse strings of digits", seconds=120.0, costly=True)
def learns(submission: Submission, rng: np.random.Generator) -> None:
    submission.seed_keras(int(rng.integers(2**31)))
    model = submission.new(MODEL, source_vocab=11, target_vocab=12, embedding_dim=16, units=32)
    # The last batch is smaller, so that the size of a batch is not known beforehand.
    inputs, labels = reversals(rng, BATCH * TRAINING_STEPS - BATCH // 2)
    unseen, answers = reversals(rng, STRINGS)
    model([array[:2] for array in inputs])  # built by a call, as elsewhere
    accuracy = 0.0
    for rate in RATES:  # one round nearly always does
        with submission.suspecting("not-compilable"):
            model.train(inputs, labels, learning_rate=rate, batch_size=BATCH)
        logits = model.output(unseen)
        if logits.shape != (STRINGS, LONGEST, 12):
            submission.fail(f"Expected logits of shape {(STRINGS, LONGEST, 12)}; received {logits.shape}.")
        accuracy = float(np.mean((np.argmax(logits, axis=-1) == answers)[answers != 0]))
        if accuracy >= 0.98:
            return
    message = (
        f"After {len(RATES)} x {TRAINING_STEPS} steps of {BATCH} strings it gets {accuracy:.1%} of the "
        "digits of new strings right; at least 98% is asked for."
    )
    submission.fail(message, "does-not-learn")
