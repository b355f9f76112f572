"""BERT, judged by what it must obey whatever its encoder layers are; and the masking of tokens."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from grader import reference
from grader.exercise import Exercise
from grader.messages import Call
from grader.submission import LayerState, Submission
from grader.suites import exercise_28_masking
from grader.worker import wire

NAME = "Bert"
POOLED, LOGITS = f"{NAME}.pooled_output", f"{NAME}.mlm_logits"
OUTPUTS = {"sequence_output", "pooled_output", "mlm_logits"}
VOCAB, WIDTH, LONGEST, LENGTH = 15, 12, 7, 5
SIZES = {
    "vocab_size": VOCAB,
    "num_layers": 1,
    "d_model": WIDTH,
    "num_heads": 3,
    "d_ff": 20,
    "max_length": LONGEST,
    "dropout": 0.0,
}
TABLES = ("token_embedding", "position_embedding", "segment_embedding")
POOLER = ("pooler.kernel", "pooler.bias")
# Of the largest number: far above the rounding of float32, far below what random weights do.
SAME = 2e-4

exercise = Exercise(
    number=28,
    title="BERT and its masked language model",
    kind="keras",
    part="Keras layers and Transformers",
    implements=[NAME, exercise_28_masking.NAME],
    outputs={exercise_28_masking.NAME: ("inputs", "labels", "weights")},
    lesson="12_bert#exercise-28-bert",
    minutes=45,
    difficulty=3,
    seconds=20.0,
    memory_mib=2048,
    forbidden=["tensorflow*", "torch*", "jax*"],
    hints=[
        "Bert: make the three Embedding layers, the list and the pooler in __init__; call is their sum, a "
        "loop over the list, and two ways to read its result. mask_tokens: first a boolean array of what "
        "is chosen; then ask for each chosen token what becomes of it.",
        "The positions are ops.arange(T), the same for every sequence, and no mask is needed. The logits "
        "use the weights that are there: self.token_embedding.embeddings, (V, D), transposed. In "
        "mask_tokens a second random number per token, from 0 to 1, decides: below 0.8, below 0.9, or "
        "above.",
        "x = token_embedding(token_ids) + position_embedding(ops.arange(T)) + "
        "segment_embedding(segment_ids); for layer in self.encoder_layers: x = layer(x); pooled = "
        "self.pooler(x[:, 0]); logits = ops.matmul(x, ops.transpose(self.token_embedding.embeddings)). "
        "chosen = ~np.isin(token_ids, list(special_ids)) & (rng.random(token_ids.shape) < rate); fate = "
        "rng.random(token_ids.shape); np.where twice; weights = chosen.astype('float32').",
    ],
)


# What follows from sequence_output, which the judge takes as it comes: the encoder layers are free


def table(layer: LayerState, name: str) -> np.ndarray:
    """The weights of an embedding, which may be a layer's or the model's own."""
    return layer[name if name in layer.weights else f"{name}.embeddings"]


def before_tanh(layer: LayerState, states: np.ndarray) -> np.ndarray:
    return states @ layer["pooler.kernel"] + layer["pooler.bias"]


def scores(layer: LayerState, sequence: np.ndarray) -> np.ndarray:
    return np.einsum("btd,vd->btv", sequence, table(layer, "token_embedding"))


@exercise.oracle(POOLED)
def pooled_output(layer: LayerState, sequence: np.ndarray) -> dict[str, np.ndarray]:
    return {"pooled_output": np.tanh(before_tanh(layer, sequence[:, 0]))}


@exercise.oracle(LOGITS)
def mlm_logits(layer: LayerState, sequence: np.ndarray) -> dict[str, np.ndarray]:
    return {"mlm_logits": scores(layer, sequence)}


def others(layer: LayerState, *shape: int) -> np.ndarray:
    """The first trainable weight of this shape; an empty array when there is none."""
    weights = [item for path, item in layer.weights.items() if path.startswith("trainable")]
    return next((item for item in weights if item.shape == shape), np.zeros(0))


def mistake(
    id: str,
    explanation: str,
    wrong: Mapping[str, str],
    target: str,
    function: Callable[[LayerState, np.ndarray], np.ndarray],
    on: Sequence[str] = (),
) -> None:
    """Register a misconception about one of the two heads."""
    name = target.partition(".")[2]

    def compute(layer: LayerState, sequence: np.ndarray) -> dict[str, np.ndarray]:
        return {name: function(layer, sequence)}

    exercise.behaviour(id, explanation, wrong=wrong, on=on, functions={target: compute})


TANH = 'layers.Dense(d_model, activation="tanh", name="pooler")'
PLAIN_POOLER = 'layers.Dense(d_model, name="pooler")'
POOL = "pooled = self.pooler(x[:, 0])  # (B, d_model)"
TIE = "logits = ops.matmul(x, ops.transpose(self.token_embedding.embeddings))  # (B, T, V)"
RETURN = 'return {"sequence_output": x, "pooled_output": pooled, "mlm_logits": logits}'
TOKENS = "x = self.token_embedding(token_ids)  # (B, T, d_model)"
POSITIONS = "x = x + self.position_embedding(ops.arange(length))  # (T, d_model), for every sequence"
SEGMENTS = "x = x + self.segment_embedding(segment_ids)  # (B, T, d_model)"
NO_SEGMENTS = "segment_ids = ops.zeros_like(token_ids)"
MAKE_POSITIONS = 'layers.Embedding(max_length, d_model, name="position_embedding")'
MAKE_LAYERS = (
    "[\n            TransformerEncoderLayer(d_model, num_heads, d_ff, dropout) for _ in range(num_layers)\n"
    "        ]"
)
LAYER = "x = layer(x, training=training)"
LOOP = f"for layer in self.encoder_layers:\n            {LAYER}"
ATTEND = "self.self_attention(x, x, attention_mask=attention_mask)"
EMBEDDING_DROPOUT = "x = self.dropout_layer(x, training=training)"
TOO_LONG = "if length > self.max_length:"

mistake(
    "pooler-without-tanh",
    "The pooler has no activation; its output goes through tanh.",
    {TANH: PLAIN_POOLER},
    POOLED,
    lambda layer, sequence: before_tanh(layer, sequence[:, 0]),
)
mistake(
    "pooler-tanh-twice",
    "The pooled output goes through tanh twice: once in the Dense layer, once after it.",
    {POOL: "pooled = ops.tanh(self.pooler(x[:, 0]))"},
    POOLED,
    lambda layer, sequence: np.tanh(np.tanh(before_tanh(layer, sequence[:, 0]))),
)
mistake(
    "pooler-other-activation",
    "The pooler's activation is another one (gelu, relu, sigmoid); BERT's pooler has tanh.",
    {TANH: TANH.replace("tanh", "relu")},
    POOLED,
    lambda layer, sequence: np.maximum(before_tanh(layer, sequence[:, 0]), 0),
)
mistake(
    "pooled-mean",
    "The pooled output is made of the mean over the positions; it is made of the first position alone.",
    {POOL: POOL.replace("x[:, 0]", "ops.mean(x, axis=1)")},
    POOLED,
    lambda layer, sequence: np.tanh(before_tanh(layer, sequence.mean(axis=1))),
)
mistake(
    "pooled-maximum",
    "The pooled output is made of the maximum over the positions; it is made of the first position alone.",
    {POOL: POOL.replace("x[:, 0]", "ops.max(x, axis=1)")},
    POOLED,
    lambda layer, sequence: np.tanh(before_tanh(layer, sequence.max(axis=1))),
)
mistake(
    "pooled-last",
    "The pooled output is made of the last position; [CLS] stands at the first.",
    {POOL: POOL.replace("x[:, 0]", "x[:, -1]")},
    POOLED,
    lambda layer, sequence: np.tanh(before_tanh(layer, sequence[:, -1])),
)
mistake(
    "pooled-everywhere",
    "The pooler is applied at every position; pooled_output is (B, d_model), of the first position.",
    {POOL: POOL.replace("x[:, 0]", "x")},
    POOLED,
    lambda layer, sequence: np.tanh(before_tanh(layer, sequence)),
)
mistake(
    "pooled-keeps-axis",
    "pooled_output has an axis of length 1 too many: x[:, 0] drops the time axis, x[:, :1] keeps it.",
    {POOL: POOL.replace("x[:, 0]", "x[:, :1]")},
    POOLED,
    lambda layer, sequence: np.tanh(before_tanh(layer, sequence[:, :1])),
)
mistake(
    "pooled-first-sequence",
    "x[0] is the first sequence of the batch; the first position of every sequence is x[:, 0].",
    {POOL: POOL.replace("x[:, 0]", "x[0]")},
    POOLED,
    lambda layer, sequence: np.tanh(before_tanh(layer, sequence[0])),
)
mistake(
    "pooler-unused",
    "pooled_output is the first position as it is; it goes through the pooler.",
    {POOL: "pooled = x[:, 0]"},
    POOLED,
    lambda layer, sequence: sequence[:, 0],
    on=["unused:pooler"],
)
mistake(
    "logits-untied",
    "The logits come from a layer with weights of its own. They are scored by the token embedding's own "
    "table: sequence_output times its transpose.",
    {
        TANH: f'{TANH}\n        self.mlm_dense = layers.Dense(vocab_size, name="mlm_dense")',
        TIE: "logits = self.mlm_dense(x)",
    },
    LOGITS,
    lambda layer, sequence: (
        sequence @ others(layer, WIDTH, VOCAB) + (others(layer, VOCAB) if others(layer, VOCAB).size else 0)
    ),
)
mistake(
    "logits-biased",
    "A bias is added to the logits. It may be in the published model; here it is left out.",
    {
        TANH: f'{TANH}\n        self.mlm_bias = self.add_weight((vocab_size,), "zeros")',
        TIE: f"{TIE.partition('  #')[0]} + self.mlm_bias",
    },
    LOGITS,
    lambda layer, sequence: scores(layer, sequence) + others(layer, VOCAB),
)
mistake(
    "logits-softmaxed",
    "mlm_logits went through a softmax: these are probabilities. The loss takes logits (from_logits=True).",
    {TIE: f"{TIE.partition('  #')[0]}\n        logits = ops.softmax(logits)"},
    LOGITS,
    lambda layer, sequence: reference.softmax(scores(layer, sequence)),
)
mistake(
    "logits-scaled",
    "The logits are divided by sqrt(d_model); that belongs to attention. They are plain dot products.",
    {TIE: f"{TIE.partition('  #')[0]} / self.d_model**0.5"},
    LOGITS,
    lambda layer, sequence: scores(layer, sequence) / math.sqrt(WIDTH),
)
mistake(
    "logits-of-first-position",
    "mlm_logits has the first position only; every position has logits: (B, T, vocab_size).",
    {TIE: TIE.replace("matmul(x,", "matmul(x[:, 0],")},
    LOGITS,
    lambda layer, sequence: scores(layer, sequence)[:, 0],
)
exercise.behaviour(
    "logits-transformed",
    "mlm_logits must be sequence_output times the transposed table of token_embedding and nothing else: no "
    "layer, normalisation or activation in between.",
    wrong={
        TANH: f'{TANH}\n        self.transform = layers.Dense(d_model, activation="gelu")',
        TIE: TIE.replace("matmul(x,", "matmul(self.transform(x),"),
    },
)
exercise.behaviour(
    "outputs-misnamed",
    'call returns a dict with the keys "sequence_output", "pooled_output" and "mlm_logits"; yours returns '
    "something else.",
    wrong={RETURN: "return x, pooled, logits"},
)
exercise.behaviour(
    "causal",
    "A position sees only those before it (or only those after). BERT reads in both directions: there is "
    "no causal mask.",
    wrong={ATTEND: ATTEND.replace("attention_mask=attention_mask", "use_causal_mask=True")},
)
exercise.behaviour(
    "positions-do-not-mix",
    "What stands at one position does not reach the others: no attention acts between them, or it acts "
    "between the sequences of the batch.",
    wrong={"attended = self.self": "attended = x if attention_mask is None else self.self"},
)
exercise.behaviour(
    "batch-mixed",
    "A sequence's outputs depend on the other sequences of the batch.",
    wrong={LAYER: f"x = x + ops.mean(x, axis=0, keepdims=True)\n            {LAYER}"},
)
exercise.behaviour(
    "padding-masked",
    "Nothing attends to token 0, as if it were padding. This model has no padding id: no mask is needed.",
    wrong={
        LAYER: "x = layer(x, attention_mask=ops.not_equal(token_ids, 0)[:, None, :], training=training)"
    },
)
exercise.behaviour(
    "padding-zeroed",
    "The embedding of token 0 has no effect, as if it were padding. Token 0 is a token like any other.",
    wrong={TOKENS: f"{TOKENS}\n        x = x * ops.cast(ops.not_equal(token_ids, 0), x.dtype)[:, :, None]"},
)
exercise.behaviour(
    "positions-not-learned",
    "position_embedding is no trainable weight: BERT learns its positions. Make it an Embedding of "
    "max_length rows in __init__ (no sinusoids).",
    wrong={
        MAKE_POSITIONS: "np.sin(np.arange(max_length)[:, None] / 10000 ** (np.arange(d_model) / d_model))",
        POSITIONS: "x = x + ops.cast(self.position_embedding[:length], x.dtype)",
    },
)
exercise.behaviour(
    "positions-ignored",
    "The positions have no effect, so a sequence means the same in any order.",
    on=["unused:position_embedding"],
    wrong={POSITIONS: ""},
)
exercise.behaviour(
    "positions-shifted",
    "Position t does not get row t of position_embedding but a later one: count from 0.",
    wrong={
        POSITIONS: POSITIONS.replace("arange(length)", "arange(self.max_length - length, self.max_length)")
    },
)
exercise.behaviour(
    "positions-reversed",
    "The positions are counted from the end; position t gets row t of position_embedding.",
    wrong={POSITIONS: POSITIONS.replace("arange(length)", "arange(length)[::-1]")},
)
exercise.behaviour(
    "positions-over-batch",
    "It works for as many sequences as positions and for no other batch: batch and length are mixed up, as "
    "where positions are counted along the batch.",
    wrong={POSITIONS: POSITIONS.replace("arange(length)", "arange(token_ids.shape[0])")},
)
exercise.behaviour(
    "embeddings-scaled",
    "The token embeddings are multiplied by sqrt(d_model), as in the first Transformer; BERT adds the "
    "three embeddings as they are.",
    wrong={TOKENS: TOKENS.replace("token_ids)", "token_ids) * self.d_model**0.5")},
)
exercise.behaviour(
    "embeddings-not-added",
    "The embeddings of token, position and segment must be added as they are: what one row gains and "
    "another loses should cancel, and here it does not.",
    wrong={SEGMENTS: "x = x * self.segment_embedding(segment_ids)"},
)
exercise.behaviour(
    "segments-ignored",
    "The segments have no effect.",
    on=["unused:segment_embedding"],
    wrong={SEGMENTS: "x = x + self.segment_embedding(0 * segment_ids)"},
)
exercise.behaviour(
    "segments-required",
    "A call without segment_ids fails; then every token belongs to segment 0.",
    wrong={NO_SEGMENTS: "pass"},
)
exercise.behaviour(
    "segments-default",
    "A call without segment_ids must give what segment_ids of zeros give.",
    wrong={NO_SEGMENTS: "segment_ids = ops.ones_like(token_ids)"},
)
exercise.behaviour(
    "layers-shared",
    "The encoder layers share their weights: the list holds one object many times. Make each in a list "
    "comprehension.",
    wrong={MAKE_LAYERS: "[TransformerEncoderLayer(d_model, num_heads, d_ff, dropout)] * num_layers"},
)
exercise.behaviour(
    "layers-miscounted",
    "encoder_layers must be a list of num_layers layers.",
    wrong={MAKE_LAYERS: MAKE_LAYERS.replace("range(num_layers)", "range(num_layers + 1)")},
)
exercise.behaviour(
    "layer-unused",
    "A layer of encoder_layers is never called. Each reads the output of the one before it.",
    wrong={LOOP: LOOP.replace("self.encoder_layers:", "self.encoder_layers[:1]:")},
)
exercise.behaviour(
    "layers-not-chained",
    "What an encoder layer computes is thrown away: each reads the output of the one before it, and the "
    "last one's is the result.",
    wrong={LOOP: f"embedded = x\n        {LOOP.replace('layer(x,', 'layer(embedded,')}"},
)
exercise.behaviour(
    "sizes-ignored",
    "num_heads or d_ff has no effect: the encoder layers are always the same.",
    wrong={MAKE_LAYERS: MAKE_LAYERS.replace("d_ff,", "4 * d_model,")},
)
exercise.behaviour(
    "sizes-mixed-up",
    "A table does not have the size that was asked for: vocab_size rows for tokens, max_length for "
    "positions, num_segments for segments, d_model columns each; the pooler maps d_model to d_model.",
    wrong={MAKE_POSITIONS: MAKE_POSITIONS.replace("max_length", "vocab_size")},
)
exercise.behaviour(
    "sublayers-missing",
    "A sublayer cannot be found under its name. Make all of them once, in __init__: one that is built "
    "inside call() starts with fresh random weights each time and never learns.",
    on=["misnamed", "no-weights", "new-state"],
    wrong={
        f"self.pooler = {TANH}": "pass",
        POOL: POOL.replace("self.pooler(", 'layers.Dense(self.d_model, activation="tanh")('),
    },
)
exercise.behaviour(
    "dropout-at-inference",
    "Something is dropped outside training: two equal calls differ. Pass `training` on to the Dropout "
    "layers.",
    wrong={EMBEDDING_DROPOUT: EMBEDDING_DROPOUT.replace("training=training", "training=True")},
)
exercise.behaviour(
    "no-dropout",
    "Nothing is dropped in training.",
    wrong={
        EMBEDDING_DROPOUT: EMBEDDING_DROPOUT.replace("training=training", "training=False"),
        LAYER: LAYER.replace("training=training", "training=False"),
    },
)
exercise.behaviour(
    "dropout-ignored",
    "The argument dropout has no effect: with dropout=0.0 something is dropped in training all the same.",
    wrong={
        "self.dropout_layer = layers.Dropout(dropout)\n        self.enc": "self.dropout_layer = "
        "layers.Dropout(0.1)\n        self.enc"
    },
)
exercise.behaviour(
    "gradient-stopped",
    "Part of the computation is cut off from training (stop_gradient, trainable=False, a detour over "
    "NumPy). The token embedding learns in two ways: from what it reads and from what it scores.",
    on=["no-gradient"],
    wrong={
        TIE: TIE.replace(
            "self.token_embedding.embeddings", "ops.stop_gradient(self.token_embedding.embeddings)"
        )
    },
)
exercise.behaviour(
    "config-incomplete",
    "get_config leaves something out, so that the model cannot be built again from it.",
    wrong={'            "num_segments": self.num_segments,\n': ""},
)
exercise.behaviour(
    "not-compilable",
    "It works when it is called, and not when it is compiled: call looks into tensors with Python (if, "
    "for, float, NumPy), whose values are not known then.",
    wrong={POOL: f"if float(ops.max(x)) > 1e8:\n            x = x / 2\n        {POOL}"},
)
exercise.behaviour(
    "batch-size-fixed",
    "It works when it is called, and not in fit, where the batch size is not known beforehand (None). Use "
    "ops.zeros_like, ops.shape, or -1 in a reshape.",
    wrong={NO_SEGMENTS: 'segment_ids = ops.zeros(token_ids.shape, dtype="int32")'},
)
exercise.behaviour(
    "too-long-accepted",
    "A sequence longer than max_length must raise ValueError: there is no row for its last positions.",
    on=["no-error"],
    wrong={
        TOO_LONG: "if False:",
        POSITIONS: POSITIONS.replace("arange(length)", "minimum(ops.arange(length), self.max_length - 1)"),
    },
)
exercise.behaviour(
    "longest-refused",
    "A sequence of exactly max_length tokens is allowed.",
    wrong={TOO_LONG: "if length >= self.max_length:"},
)

# What the checks of Bert share


def ids(rng: np.random.Generator, *shape: int, below: int = VOCAB) -> np.ndarray:
    return rng.integers(below, size=shape).astype(np.int32)


def fresh(rng: np.random.Generator, value: np.ndarray) -> np.ndarray:
    """Random weights in the place of these; biases and norms stay near what they were."""
    noise = rng.normal(size=value.shape)
    return noise / math.sqrt(value.shape[0]) if value.ndim > 1 else value + 0.3 * noise


def weights_under(submission: Submission, layer: Any, path: str = "") -> dict[str, np.ndarray]:
    """The trainable weights of the model, or of a sublayer, by a path that can be assigned to."""
    path = f"{path}.trainable_weights" if path else "trainable_weights"
    found = layer.facts(path)[path]
    if not isinstance(found, list) or not all(isinstance(item, np.ndarray) for item in found):
        submission.fail(f"{path} could not be read.")
    return {f"{path}.{number}": item for number, item in enumerate(found)}


def bert_of(submission: Submission, rng: np.random.Generator, **changes: Any) -> Any:
    """A model whose weights are all random; the judge knows those of the tables and the pooler."""
    config = {**SIZES, **changes}
    layer = submission.built(NAME, rng, ids(rng, 5, 5), ids(rng, 5, 5, below=2), **config)
    if not layer.paths:
        prepare(submission, layer, rng)
    return layer


def prepare(submission: Submission, layer: Any, rng: np.random.Generator) -> None:
    facts = layer.facts(*TABLES)
    paths = [name if isinstance(facts[name], np.ndarray) else f"{name}.embeddings" for name in TABLES]
    layer.read(paths[0], paths[2], *POOLER)
    positions = submission.request("read", target=layer.handle, paths=paths[1:2]).value
    lost = isinstance(positions, dict) and positions.get(paths[1])
    if isinstance(lost, wire.Opaque) and lost.type == "missing":
        message = "There is no trainable weight in self.position_embedding."
        submission.fail(message, "positions-not-learned")
    drawn = {path: fresh(rng, value) for path, value in weights_under(submission, layer).items()}
    layer.write(drawn)
    named = layer.read(*paths, *POOLER)
    for path, value in named.items():
        if not any(np.array_equal(value, np.float32(item)) for item in drawn.values()):
            name = "positions-not-learned" if path == paths[1] else "gradient-stopped"
            submission.fail(f"{path} is not among the trainable weights.", name)
    layer.write(named)
    rows = (VOCAB, LONGEST, layer.state.config.get("num_segments", 2), WIDTH)
    for path, count in zip((*paths, POOLER[0]), rows, strict=True):
        if named[path].shape != (count, WIDTH):
            message = f"{path} has shape {named[path].shape}; expected {(count, WIDTH)}."
            submission.fail(message, "sizes-mixed-up")
    layer.paths = [*paths, *POOLER]


def shown(layer: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Call:
    config = ", ".join(f"{key}={value!r}" for key, value in layer.state.config.items())
    return Call(f"{NAME}({config})", args, kwargs, ("token_ids", "segment_ids"))


def outputs_of(
    submission: Submission, layer: Any, *args: Any, compiled: bool = False, **kwargs: Any
) -> dict[str, Any]:
    """Call the model; the outputs' names and the form of sequence_output are right."""
    if compiled:
        reply = submission.request("compiled", target=layer.handle, args=args, kwargs=kwargs)
        if reply.problem is not None:
            submission.errored(reply.problem, shown(layer, args, kwargs))
        value = reply.value
    else:
        value = layer(*args, **kwargs)
    if not isinstance(value, dict) or set(value) != OUTPUTS:
        what = f"the keys {sorted(value)}" if isinstance(value, dict) else f"a {type(value).__name__}"
        submission.fail(f"Expected a dict with the keys {sorted(OUTPUTS)}; got {what}.", "outputs-misnamed")
    sequence, shape = value["sequence_output"], (*args[0].shape, WIDTH)
    right = isinstance(sequence, np.ndarray) and sequence.shape == shape
    submission.judge_reply(
        f"{NAME}.sequence_output",
        wire.Reply(value={"sequence_output": sequence}),
        lambda function: {},
        shown(layer, args, kwargs),
        dtype="float32",
        expected={"sequence_output": np.float64(sequence) if right else np.zeros(shape)},
    )
    return value


def require_head(submission: Submission, layer: Any, target: str, args: Any, outputs: Any) -> None:
    """Require that a head is what the judge makes of the sequence_output that came with it."""
    name, state = target.partition(".")[2], layer.state  # its weights may change before the diagnosis
    sequence = np.float64(outputs["sequence_output"])
    submission.judge_reply(
        target,
        wire.Reply(value={name: outputs[name]}),
        lambda function: function(state, sequence),
        shown(layer, args, {}),
        dtype="float32",
    )


def expect_head(submission: Submission, layer: Any, target: str, *args: Any) -> None:
    """Call the model and judge one of its heads."""
    require_head(submission, layer, target, args, outputs_of(submission, layer, *args))


def sequence_of(submission: Submission, layer: Any, *args: Any, **kwargs: Any) -> np.ndarray:
    return outputs_of(submission, layer, *args, **kwargs)["sequence_output"]


def moved(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """At which positions the vectors differ."""
    return np.max(np.abs(after - before), axis=-1) > SAME * np.max(np.abs(before))


def mixes(submission: Submission, layer: Any, rng: np.random.Generator) -> bool:
    """Whether the first token has an effect on the output at the second."""
    tokens = rng.integers(2, VOCAB, size=(4, 2)).astype(np.int32)
    other = np.where([True, False], 1, tokens).astype(np.int32)
    before, after = (sequence_of(submission, layer, item, 0 * item) for item in (tokens, other))
    return bool(np.any(moved(before, after)[:, 1]))


@exercise.check("three outputs: their names and shapes")
def names_and_shapes(submission: Submission, rng: np.random.Generator) -> None:
    layer = bert_of(submission, rng)
    expect_head(submission, layer, POOLED, ids(rng, 5, 5), ids(rng, 5, 5, below=2))
    count = len(weights_under(submission, layer))
    with submission.suspecting("positions-over-batch"):
        outputs_of(submission, layer, ids(rng, 2, 4), ids(rng, 2, 4, below=2))
    expect_head(submission, layer, LOGITS, ids(rng, 1, 3), ids(rng, 1, 3, below=2))
    if len(weights_under(submission, layer)) != count:
        submission.fail("A later call made new weights.", "sublayers-missing")


@exercise.check("pooled_output comes from the first position")
def pooled(submission: Submission, rng: np.random.Generator) -> None:
    layer = bert_of(submission, rng)
    expect_head(submission, layer, POOLED, ids(rng, 2, 5), ids(rng, 2, 5, below=2))
    expect_head(submission, layer, POOLED, ids(rng, 3, 1), ids(rng, 3, 1, below=2))


@exercise.check("mlm_logits come from the token embedding's table")
def logits(submission: Submission, rng: np.random.Generator) -> None:
    layer = bert_of(submission, rng)
    args = ids(rng, 2, 5), ids(rng, 2, 5, below=2)
    outputs_of(submission, layer, *args)
    with submission.suspecting("logits-transformed"):
        expect_head(submission, layer, LOGITS, *args)
        expect_head(submission, layer, LOGITS, ids(rng, 3, 6), ids(rng, 3, 6, below=2))


@exercise.check("every position sees every other one")
def both_directions(submission: Submission, rng: np.random.Generator) -> None:
    layer = bert_of(submission, rng)
    # For each of four sequences: as it is, and with one token after the other replaced.
    tokens = np.repeat(ids(rng, 4, 1, 6), 7, axis=1)
    for place in range(6):
        tokens[:, place + 1, place] = (tokens[:, 0, place] + 1 + ids(rng, 4, below=VOCAB - 1)) % VOCAB
    flat = tokens.reshape(28, 6)
    sequence = sequence_of(submission, layer, flat, 0 * flat).reshape(4, 7, 6, WIDTH)
    alone = sequence_of(submission, layer, flat[:3], 0 * flat[:3])
    if np.any(moved(sequence[0, :3], alone)):
        submission.fail("Three sequences alone give other outputs than within a batch.", "batch-mixed")
    seen = np.any([moved(items[0], items[1:]) for items in sequence], axis=0)  # (replaced, position)
    if np.all(seen):
        return
    replaced, position = (int(number) for number in np.argwhere(~seen)[0])
    message = f"With another token at position {replaced} the output at position {position} stays the same."
    off = ~np.eye(6, dtype=bool)
    before, after = np.tri(6, k=-1, dtype=bool).T, np.tri(6, k=-1, dtype=bool)
    if not np.any(seen & off):
        submission.fail(message, "positions-do-not-mix")
    one_way = not np.any(seen & before) or not np.any(seen & after)
    submission.fail(message, "causal" if one_way else None)


@exercise.check("no token is padding")
def no_padding(submission: Submission, rng: np.random.Generator) -> None:
    layer = bert_of(submission, rng)
    tokens = rng.integers(1, VOCAB, size=(4, 6)).astype(np.int32)
    tokens[:, 2], tokens[:2, 5], tokens[2, :3] = 0, 0, 0
    before = sequence_of(submission, layer, tokens, 0 * tokens)
    path = layer.paths[0]
    changed = layer.state[path].copy()
    changed[0] += rng.normal(size=WIDTH)
    layer.write({path: changed})
    different = moved(before, sequence_of(submission, layer, tokens, 0 * tokens))
    if not np.any(different):
        submission.fail(
            "Row 0 of the token embedding has no effect where token 0 stands.", "padding-zeroed"
        )
    if not np.any(different & (tokens != 0)):
        message = "With another row 0 in the token embedding, outputs change only where token 0 stands."
        mixing = mixes(submission, layer, rng)
        submission.fail(message, "padding-masked" if mixing else "positions-do-not-mix")
    outputs_of(submission, layer, 0 * tokens, 0 * tokens)


@exercise.check("rows of position_embedding beyond the length do not matter")
def rows_beyond(submission: Submission, rng: np.random.Generator) -> None:
    layer = bert_of(submission, rng)
    tokens, path = ids(rng, 2, LENGTH), layer.paths[1]
    before = sequence_of(submission, layer, tokens, 0 * tokens)
    changed = layer.state[path].copy()
    changed[LENGTH:] += rng.normal(size=(LONGEST - LENGTH, WIDTH))
    layer.write({path: changed})
    if np.any(moved(before, sequence_of(submission, layer, tokens, 0 * tokens))):
        message = f"Rows {LENGTH} and later changed the outputs of sequences of {LENGTH} tokens."
        submission.fail(message, "positions-shifted")


@exercise.check("position t has row t, and the embeddings are added")
def added(submission: Submission, rng: np.random.Generator) -> None:
    layer = bert_of(submission, rng)
    # Token i stands at position i % 5 only: what row t of the positions gains, its tokens lose.
    tokens = (LENGTH * rng.integers(1, 3, size=(4, LENGTH)) + np.arange(LENGTH)).astype(np.int32)
    before = sequence_of(submission, layer, tokens, 0 * tokens)
    words, places = (layer.state[path] for path in layer.paths[:2])
    change = rng.normal(size=(LENGTH, WIDTH))

    def cancels(rows: Sequence[int], factor: float = 1.0) -> bool:
        shifted = places.copy()
        shifted[list(rows)] += change
        lowered = words - factor * change[np.arange(VOCAB) % LENGTH]
        layer.write(dict(zip(layer.paths[:2], (lowered, shifted), strict=True)))
        return not np.any(moved(before, sequence_of(submission, layer, tokens, 0 * tokens)))

    right = range(LENGTH)
    if cancels(right):
        return
    message = "Row t of position_embedding got what the tokens at position t lost; the sums are as before."
    if cancels(right, 1 / math.sqrt(WIDTH)):
        submission.fail(message, "embeddings-scaled")
    if cancels(right[::-1]):
        submission.fail(message, "positions-reversed")
    shifts = range(1, LONGEST - LENGTH + 1)
    shifted = any(cancels([row + shift for row in right]) for shift in shifts)
    submission.fail(message, "positions-shifted" if shifted else "embeddings-not-added")


@exercise.check("segments")
def segments(submission: Submission, rng: np.random.Generator) -> None:
    layer = bert_of(submission, rng)
    tokens = rng.integers(1, VOCAB, size=(4, LENGTH)).astype(np.int32)
    which = (tokens % 2).astype(np.int32)  # a token stands in one segment only
    zeros = sequence_of(submission, layer, tokens, 0 * tokens)
    mixed = sequence_of(submission, layer, tokens, which)
    with submission.suspecting("segments-required"):
        missing = sequence_of(submission, layer, tokens)
    if np.any(moved(zeros, missing)):
        submission.fail(
            "segment_ids=None and segment_ids of zeros give different outputs.", "segments-default"
        )
    if not np.any(moved(zeros, mixed)):
        submission.fail("With other segment_ids the outputs stay the same.", "segments-ignored")
    change = rng.normal(size=(2, WIDTH))
    lowered = layer.state[layer.paths[0]] - change[np.arange(VOCAB) % 2]
    layer.write({layer.paths[2]: layer.state[layer.paths[2]] + change, layer.paths[0]: lowered})
    if np.any(moved(mixed, sequence_of(submission, layer, tokens, which))):
        message = "Each segment's row got what its tokens lost; the sums are as before."
        words = lowered + (1 - 1 / math.sqrt(WIDTH)) * change[np.arange(VOCAB) % 2]
        layer.write({layer.paths[0]: words})
        scaled = not np.any(moved(mixed, sequence_of(submission, layer, tokens, which)))
        submission.fail(message, "embeddings-scaled" if scaled else "embeddings-not-added")


@exercise.check("num_layers encoder layers, each with weights of its own")
def layers_of_their_own(submission: Submission, rng: np.random.Generator) -> None:
    small, layer = bert_of(submission, rng), bert_of(submission, rng, num_layers=2, d_ff=28)
    for model, count in ((small, 1), (layer, 2)):
        found = model.facts("encoder_layers")["encoder_layers"]
        if not isinstance(found, list) or len(found) != count:
            received = f"{len(found)} layers" if isinstance(found, list) else "no list"
            submission.fail(f"num_layers={count}; encoder_layers holds {received}.", "layers-miscounted")
    first, second = (weights_under(submission, layer, f"encoder_layers.{place}") for place in range(2))
    if not first or not second:
        submission.fail("A layer of encoder_layers has no weights.", "layer-unused")
    tokens = ids(rng, 3, LENGTH)
    for own, other in ((first, "encoder_layers.1"), (second, "encoder_layers.0")):
        before = sequence_of(submission, layer, tokens, 0 * tokens)
        kept = weights_under(submission, layer, other)
        layer.write({path: fresh(rng, value) for path, value in own.items()})
        after = weights_under(submission, layer, other)
        if any(not np.array_equal(kept[path], after[path]) for path in kept):
            submission.fail("Weights assigned to one layer appeared in the other.", "layers-shared")
        if not np.any(moved(before, sequence_of(submission, layer, tokens, 0 * tokens))):
            submission.fail("A layer's weights have no effect on the outputs.", "layers-not-chained")
    only = weights_under(submission, small, "encoder_layers.0")
    if len(weights_under(submission, layer)) < len(weights_under(submission, small)) + len(second):
        submission.fail("The second layer does not add its weights to those of the model.", "layers-shared")
    if sum(item.size for item in only.values()) == sum(item.size for item in first.values()):
        submission.fail("With d_ff=20 and d_ff=28 a layer has as many parameters.", "sizes-ignored")


@exercise.check("num_heads matters")
def heads_matter(submission: Submission, rng: np.random.Generator) -> None:
    three, one = bert_of(submission, rng), bert_of(submission, rng, num_heads=1)
    given, taking = weights_under(submission, three), weights_under(submission, one)
    if [item.size for item in given.values()] != [item.size for item in taking.values()]:
        return  # an attention whose parameters depend on the heads
    one.write({path: given[path].reshape(item.shape) for path, item in taking.items()})
    tokens = ids(rng, 3, LENGTH)
    outputs = [sequence_of(submission, model, tokens, 0 * tokens) for model in (three, one)]
    if not np.any(moved(*outputs)):
        mixing = mixes(submission, three, rng)
        message = "num_heads=3 and num_heads=1 give the same outputs."
        submission.fail(message, "sizes-ignored" if mixing else "positions-do-not-mix")


@exercise.check("dropout in training only")
def dropout(submission: Submission, rng: np.random.Generator) -> None:
    layer, plain = bert_of(submission, rng, dropout=0.5), bert_of(submission, rng)
    args = ids(rng, 3, LENGTH), ids(rng, 3, LENGTH, below=2)
    before = sequence_of(submission, layer, *args)
    for options in ({}, {"training": False}):
        if np.any(moved(before, sequence_of(submission, layer, *args, **options))):
            submission.fail(
                "Two equal calls outside training gave different outputs.", "dropout-at-inference"
            )
    if not np.any(moved(before, sequence_of(submission, layer, *args, training=True))):
        submission.fail("In training the outputs are those outside it.", "no-dropout")
    before = sequence_of(submission, plain, *args)
    if np.any(moved(before, sequence_of(submission, plain, *args, training=True))):
        submission.fail("With dropout=0.0 the outputs are others in training.", "dropout-ignored")


def gradients_of(
    submission: Submission, layer: Any, args: Sequence[Any], paths: Sequence[str], **cotangents: np.ndarray
) -> dict[str, np.ndarray]:
    """Gradients of sum(output * cotangent), over the outputs that have one; none may be missing."""
    given = [cotangents.get(name) for name in sorted(OUTPUTS)]
    payload = {"args": args, "kwargs": {}, "paths": paths}
    payload["cotangents"] = [None if item is None else np.float32(item) for item in given]
    reply = submission.request("gradients", target=layer.handle, **payload)
    if reply.problem is not None:
        submission.errored(reply.problem, shown(layer, args, {}))
    found = submission.shaped(reply.value, dict[str, Any])
    for path in paths:
        if not isinstance(found.get(path), np.ndarray):
            submission.fail(f"No gradient reaches {path} from {sorted(cotangents)}.", "gradient-stopped")
    return found


@exercise.check("gradients reach every weight; the token embedding's from both of its uses")
def gradients(submission: Submission, rng: np.random.Generator) -> None:
    layer = bert_of(submission, rng)
    args = ids(rng, 3, LENGTH), ids(rng, 3, LENGTH, below=2)
    outputs = outputs_of(submission, layer, *args)
    require_head(submission, layer, POOLED, args, outputs)
    with submission.suspecting("logits-transformed"):
        require_head(submission, layer, LOGITS, args, outputs)
    arrays = {name: np.float64(outputs[name]) for name in sorted(OUTPUTS)}
    toward = {name: rng.normal(size=item.shape) for name, item in arrays.items()}
    gradients_of(submission, layer, args, list(weights_under(submission, layer)), **toward)

    inner = list(weights_under(submission, layer, "encoder_layers.0"))
    paths = [*layer.paths[:3], *inner]
    words = layer.state[layer.paths[0]]
    above = toward["mlm_logits"]
    through = gradients_of(submission, layer, args, paths, sequence_output=above @ words)
    if not any(np.any(through[path]) for path in inner):
        submission.fail("The encoder layer's gradients are all zero.", "gradient-stopped")
    total = gradients_of(submission, layer, args, paths, mlm_logits=above)
    direct = np.einsum("btv,btd->vd", above, arrays["sequence_output"])
    for path in layer.paths[:3]:
        expected = through[path] + (direct if path == layer.paths[0] else 0)
        if not np.any(through[path]) or np.any(moved(expected, total[path])):
            submission.fail(f"The gradient of {path} is not what it should be.", "gradient-stopped")

    found = gradients_of(
        submission, layer, args, [layer.paths[0], *POOLER], pooled_output=toward["pooled_output"]
    )
    slope = toward["pooled_output"] * (1 - arrays["pooled_output"] ** 2)
    kernel = np.einsum("bi,bj->ij", arrays["sequence_output"][:, 0], slope)
    if np.any(moved(kernel, found[POOLER[0]])) or not np.any(found[layer.paths[0]]):
        submission.fail("The gradient of pooled_output is not what it should be.", "gradient-stopped")


@exercise.check("get_config, from_config, and saved weights")
def round_trips(submission: Submission, rng: np.random.Generator) -> None:
    layer = bert_of(submission, rng, num_segments=3)  # and no dropout: neither is the default
    args = ids(rng, 3, LENGTH), ids(rng, 3, LENGTH, below=3)
    before = sequence_of(submission, layer, *args)
    if np.any(moved(before, sequence_of(submission, layer, *args))):
        submission.fail("Two equal calls gave different outputs.", "dropout-at-inference")
    trained = sequence_of(submission, layer, *args, training=True)
    with submission.suspecting("config-incomplete"):
        again = layer.reloaded(*args)
        after = sequence_of(submission, again, *args)
    if np.any(moved(before, after)):
        submission.fail(
            "The rebuilt model with the saved weights gives other outputs.", "config-incomplete"
        )
    dropped = np.any(moved(before, sequence_of(submission, again, *args, training=True)))
    if dropped and not np.any(moved(before, trained)):
        submission.fail(
            "The model has dropout=0.0; the rebuilt one drops in training.", "config-incomplete"
        )


@exercise.check("no sequence is longer than max_length")
def length_limit(submission: Submission, rng: np.random.Generator) -> None:
    layer = bert_of(submission, rng)
    tokens = ids(rng, 2, LONGEST)
    payload = {"method": "", "args": [tokens, 0 * tokens], "kwargs": {}}
    problem = submission.request("apply", target=layer.handle, **payload).problem
    if problem is not None and "ValueError" in problem.bases:
        submission.fail(f"{LONGEST} tokens with max_length={LONGEST}: {problem.message}", "longest-refused")
    sequence_of(submission, layer, tokens, 0 * tokens)
    with submission.suspecting("too-long-accepted"):
        layer.expect_call_error("ValueError", ids(rng, 2, LONGEST + 1), ids(rng, 2, LONGEST + 1, below=2))


exercise_28_masking.register(exercise)


@exercise.check("under jit_compile, and in fit", costly=True)
def compiled(submission: Submission, rng: np.random.Generator) -> None:
    layer = bert_of(submission, rng)
    args = ids(rng, 3, LENGTH), ids(rng, 3, LENGTH, below=2)
    before = outputs_of(submission, layer, *args)
    with submission.suspecting("not-compilable"):
        after = outputs_of(submission, layer, *args, compiled=True)
    for name in OUTPUTS:
        if np.shape(after[name]) != before[name].shape or np.any(moved(before[name], after[name])):
            submission.fail(f"Compiled, {name} is another one than when called.", "not-compilable")
    before = outputs_of(submission, layer, args[0])["mlm_logits"]
    y = rng.normal(size=before.shape).astype(np.float32)
    reply = submission.request("fit", target=layer.handle, inputs=[args[0]], y=y, options={})
    with submission.suspecting("batch-size-fixed"):
        if reply.problem is not None:
            submission.errored(reply.problem, shown(layer, args[:1], {}))
    expected = float(np.mean((before - y) ** 2))
    if not isinstance(reply.value, float) or not abs(reply.value - expected) <= 1e-3 * max(1.0, expected):
        submission.fail(
            f"In fit the mean squared error of mlm_logits is {reply.value!r}; expected {expected:.6g}."
        )
