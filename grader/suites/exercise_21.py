"""Hierarchical attention over words and sentences."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from grader import reference
from grader.exercise import Exercise
from grader.submission import CheckEnded, LayerState, Submission

NAME = "HierarchicalAttention"
LEVELS = ("word", "sentence")
GRU = [
    f"{way}_layer.cell.{kind}"
    for way in ("forward", "backward")
    for kind in ("kernel", "recurrent_kernel", "bias")
]
POOLING = ["project.kernel", "project.bias", "score.kernel"]

exercise = Exercise(
    number=21,
    title="Hierarchical attention over words and sentences",
    kind="keras",
    part="Recurrent attention",
    implements=[NAME],
    outputs={NAME: ("logits",)},
    weights={
        NAME: [
            "embedding.embeddings",
            *(f"{level}_rnn.{path}" for level in LEVELS for path in GRU),
            *(f"{level}_pooling.{path}" for level in LEVELS for path in POOLING),
            "classifier.kernel",
            "classifier.bias",
        ]
    },
    lesson="09_attention_in_classifiers#hierarchical-attention",
    minutes=40,
    difficulty=3,
    memory_mib=2048,  # JAX takes 1.1 GiB, most of it to compile
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
        "A GRU takes (batch, time, features). Treat every sentence as an example of its own first: "
        "(B, S, W) becomes (B * S, W). Once each is one vector, the sentences of a document are the time "
        "steps.",
        "You need two masks: words = tokens != 0, and sentences = any word of the sentence is real. Each "
        "goes to a GRU and to the pooling after it. Reshape (B * S, 2 * units) to (B, S, 2 * units) in "
        "between.",
        "states = word_rnn(embedding(flat), mask=words); vectors, _ = word_pooling(states, mask=words); "
        "vectors = reshape(vectors, (-1, S, 2 * units)); the same with sentence_rnn, sentence_pooling and "
        "mask=sentences; return classifier(document). "
        "word_rnn = Bidirectional(GRU(units, return_sequences=True)).",
    ],
)


def gru_step(x: np.ndarray, h: np.ndarray, weights: Sequence[np.ndarray]) -> np.ndarray:
    """One step of Keras's GRU: gates in the order update, reset, candidate; reset after the kernel."""
    kernel, recurrent, bias = weights
    if bias.ndim != 2:
        raise ValueError("a GRU with reset_after has two biases")
    x_update, x_reset, x_new = np.split(x @ kernel + bias[0], 3, axis=-1)
    h_update, h_reset, h_new = np.split(h @ recurrent + bias[1], 3, axis=-1)
    update = reference.sigmoid(x_update + h_update)
    return update * h + (1 - update) * np.tanh(x_new + reference.sigmoid(x_reset + h_reset) * h_new)


def gru_step_resetting_first(x: np.ndarray, h: np.ndarray, weights: Sequence[np.ndarray]) -> np.ndarray:
    """One step of a GRU whose reset gate acts on the state before its kernel, as in the first paper."""
    kernel, recurrent, bias = weights
    if bias.ndim != 1:
        raise ValueError("a GRU that resets first has one bias")
    units = h.shape[-1]
    x_update, x_reset, x_new = np.split(x @ kernel + bias, 3, axis=-1)
    h_update, h_reset = np.split(h @ recurrent[:, : 2 * units], 2, axis=-1)
    update, reset = reference.sigmoid(x_update + h_update), reference.sigmoid(x_reset + h_reset)
    return update * h + (1 - update) * np.tanh(x_new + (reset * h) @ recurrent[:, 2 * units :])


def concatenated(forward: np.ndarray, backward: np.ndarray) -> np.ndarray:
    return np.concatenate([forward, backward], axis=-1)


def word_and_sentence_masks(tokens: np.ndarray) -> tuple[Any, Any, Any, Any]:
    """Masks for word_rnn, word_pooling, sentence_rnn, sentence_pooling."""
    words = tokens != 0
    sentences = words.any(axis=-1)
    return words, words, sentences, sentences


def hierarchical(
    layer: LayerState,
    tokens: np.ndarray,
    *,
    masks: Callable[[np.ndarray], tuple[Any, Any, Any, Any]] = word_and_sentence_masks,
    step: Callable[..., np.ndarray] = gru_step,
    merging: Callable[[np.ndarray, np.ndarray], np.ndarray] = concatenated,
    weighing: Callable[[np.ndarray], np.ndarray] = reference.softmax,
    grouping: Callable[..., np.ndarray] = lambda vectors: vectors,
    levels: Sequence[str] = LEVELS,
    finishing: Callable[[np.ndarray], np.ndarray] = lambda logits: logits,
) -> np.ndarray:
    """The right answer; each keyword replaces one step by a mistaken one."""

    def run(name: str, x: np.ndarray, mask: np.ndarray) -> np.ndarray:
        """One direction over x (..., T, D); where the mask forbids, the state stays and the output is 0."""
        weights = [layer[f"{name}.cell.{kind}"] for kind in ("kernel", "recurrent_kernel", "bias")]
        h = np.zeros((*x.shape[:-2], weights[1].shape[0]))
        outputs = []
        for t in range(x.shape[-2]):
            real = mask[..., t, None]
            h = np.where(real, step(x[..., t, :], h, weights), h)
            outputs.append(np.where(real, h, 0.0))
        return np.stack(outputs, axis=-2)

    def encode(level: str, x: np.ndarray, rnn_mask: Any, pooling_mask: Any) -> np.ndarray:
        """(..., T, D) to (..., 2 * units)."""
        mask = np.ones(x.shape[:-1], bool) if rnn_mask is None else rnn_mask
        forward = run(f"{level}_rnn.forward_layer", x, mask)
        backward = run(f"{level}_rnn.backward_layer", x[..., ::-1, :], mask[..., ::-1])
        states = merging(forward, backward[..., ::-1, :])
        hidden = np.tanh(
            states @ layer[f"{level}_pooling.project.kernel"] + layer[f"{level}_pooling.project.bias"]
        )
        scores = (hidden @ layer[f"{level}_pooling.score.kernel"])[..., 0]
        weights = weighing(reference.masked(scores, pooling_mask))
        return np.einsum("...t,...td->...d", weights, states)

    word_rnn, word_pooling, sentence_rnn, sentence_pooling = masks(tokens)
    vectors = encode(levels[0], layer["embedding.embeddings"][tokens], word_rnn, word_pooling)
    document = encode(levels[1], grouping(vectors), sentence_rnn, sentence_pooling)
    return finishing(document @ layer["classifier.kernel"] + layer["classifier.bias"])


exercise.oracle(NAME)(hierarchical)


def mistake(
    id: str, explanation: str, wrong: Mapping[str, str], on: Sequence[str] = (), **steps: Any
) -> None:
    """Register a misconception that is the oracle with some steps replaced."""

    def function(layer: LayerState, *args: Any, **kwargs: Any) -> Any:
        return hierarchical(layer, *args, **kwargs, **steps)

    exercise.misconception(id, explanation, wrong=wrong, on=on)(function)


def masking(change: Callable[[np.ndarray, np.ndarray], tuple[Any, Any, Any, Any]]) -> Any:
    """Masks made from those of the words and of the sentences."""

    def masks(tokens: np.ndarray) -> tuple[Any, Any, Any, Any]:
        return change(tokens != 0, np.any(tokens != 0, axis=-1))

    return masks


def trailing(tokens: np.ndarray) -> tuple[Any, Any, Any, Any]:
    """Masks that are right only where padding stands at the end."""
    words = np.arange(tokens.shape[2]) < np.sum(tokens != 0, axis=-1, keepdims=True)
    sentences = words.any(axis=-1)
    return words, words, sentences, sentences


def nan_for_empty(scores: np.ndarray) -> np.ndarray:
    """The softmax without care for slices that are all -inf."""
    empty = np.all(np.isneginf(scores), axis=-1, keepdims=True)
    return np.where(empty, np.nan, reference.softmax(scores))


WORDS = "words = ops.not_equal(tokens, 0)"
SENTENCES = "ops.any(words, axis=-1)"
WORD_RNN = "self.word_rnn(self.embedding(tokens), mask=words)"
WORD_POOLING = "self.word_pooling(states, mask=words)"
SENTENCE_RNN = "self.sentence_rnn(vectors, mask=sentences)"
SENTENCE_POOLING = "self.sentence_pooling(states, mask=sentences)"
MAKE_WORD_RNN = 'layers.Bidirectional(layers.GRU(units, return_sequences=True), name="word_rnn")'
REGROUP = "vectors = ops.reshape(vectors, (-1, count, vectors.shape[-1]))"
RETURN = "return self.classifier(document)"

mistake(
    "padding-read",
    "Padding is read like words: the GRUs and the poolings need the masks.",
    {
        WORD_RNN: "self.word_rnn(self.embedding(tokens))",
        WORD_POOLING: "self.word_pooling(states)",
        SENTENCE_RNN: "self.sentence_rnn(vectors)",
        SENTENCE_POOLING: "self.sentence_pooling(states)",
    },
    masks=lambda tokens: (None, None, None, None),
)
mistake(
    "empty-sentences-read",
    "Sentences that are all padding are read like others: sentence_rnn and sentence_pooling need a mask "
    "too. (A mask of the words does not survive the reshape.)",
    {
        SENTENCE_RNN: "self.sentence_rnn(vectors)",
        SENTENCE_POOLING: "self.sentence_pooling(states)",
    },
    masks=masking(lambda words, sentences: (words, words, None, None)),
)
mistake(
    "word-rnn-reads-padding",
    "word_rnn runs over the padding: only the pooling has the mask.",
    # Masks would reach the GRU by themselves only from an Embedding with mask_zero.
    {WORD_RNN: "self.word_rnn(self.embedding(tokens))"},
    masks=masking(lambda words, sentences: (None, words, sentences, sentences)),
)
# A pooling without `mask` is not wrong: Keras hands it the mask of the GRU's output, until that is changed.
mistake(
    "word-pooling-reads-padding",
    "word_pooling gives weight to padding: it does not get the mask. Keras passes a mask along with the "
    "GRU's output, but arithmetic and reshapes lose it: pass it on yourself.",
    {WORD_POOLING: "self.word_pooling(1.0 * states)"},
    masks=masking(lambda words, sentences: (words, None, sentences, sentences)),
)
mistake(
    "sentence-rnn-reads-padding",
    "sentence_rnn runs over sentences that are all padding: only the pooling has the mask.",
    {SENTENCE_RNN: "self.sentence_rnn(vectors)"},
    masks=masking(lambda words, sentences: (words, words, None, sentences)),
)
mistake(
    "sentence-pooling-reads-padding",
    "sentence_pooling gives weight to sentences that are all padding: it does not get the mask.",
    {SENTENCE_POOLING: "self.sentence_pooling(1.0 * states)"},
    masks=masking(lambda words, sentences: (words, words, sentences, None)),
)
mistake(
    "padding-at-the-end-only",
    "The mask comes from the number of words, as if padding always stood at the end; token 0 is padding "
    "wherever it stands.",
    {
        WORDS: 'number = ops.sum(ops.cast(ops.not_equal(tokens, 0), "int32"), axis=-1, keepdims=True)\n'
        '        words = ops.arange(length, dtype="int32") < number'
    },
    masks=trailing,
)
mistake(
    "sentence-judged-by-first-word",
    "A sentence counts as padding when its first token is 0; it does when all of them are.",
    {SENTENCES: "words[:, 0]"},
    masks=masking(lambda words, sentences: (words, words, words[..., 0], words[..., 0])),
)
mistake(
    "sentence-judged-by-all-words",
    "A sentence with any padding is left out; leave out those where every token is padding (any, not all).",
    {SENTENCES: "ops.all(words, axis=-1)"},
    masks=masking(lambda words, sentences: (words, words, words.all(axis=-1), words.all(axis=-1))),
)
mistake(
    "mask-inverted",
    "The masks are the other way round: True is a real word.",
    {WORDS: "words = ops.equal(tokens, 0)"},
    masks=lambda tokens: word_and_sentence_masks(tokens == 0),
)
mistake(
    "fully-masked-nan",
    "Pooling nothing but padding gives NaN (softmax over -inf alone); the weights must be zero.",
    {
        "scores = ops.where(mask, scores, -1e9)": 'scores = ops.where(mask, scores, -float("inf"))',
        "weights = ops.where(mask, weights, 0.0)": "pass",
    },
    weighing=nan_for_empty,
)
mistake(
    "sentences-regrouped-wrongly",
    "The sentence vectors go to the wrong documents: (B * S, ...) is reshaped with B and S in the other "
    "order.",
    {REGROUP: "vectors = ops.transpose(ops.reshape(vectors, (count, -1, vectors.shape[-1])), (1, 0, 2))"},
    grouping=lambda vectors: vectors.reshape(vectors.shape[1], vectors.shape[0], -1).swapaxes(0, 1),
)
mistake(
    "directions-summed",
    "The two directions are added; Bidirectional concatenates them by default.",
    {
        f'GRU(units, return_sequences=True), name="{level}_rnn"': "GRU(units, return_sequences=True), "
        'merge_mode="sum"'
        for level in LEVELS
    },
    merging=lambda forward, backward: forward + backward,
)
mistake(
    "reset-before",
    "The GRU has reset_after=False; Keras's default is asked for.",
    {
        'layers.GRU(units, return_sequences=True), name="word_rnn"': "layers.GRU(units, "
        "return_sequences=True, reset_after=False)",
        'layers.GRU(units, return_sequences=True), name="sentence_rnn"': "layers.GRU(units, "
        "return_sequences=True, reset_after=False)",
    },
    step=gru_step_resetting_first,
)
mistake(
    "probabilities-for-logits",
    "The result went through a softmax; logits are asked for.",
    {RETURN: "return ops.softmax(self.classifier(document), axis=-1)"},
    finishing=reference.softmax,
)
exercise.behaviour(
    "one-direction",
    "The GRUs read in one direction; both are to be wrapped in keras.layers.Bidirectional.",
    wrong={MAKE_WORD_RNN: 'layers.GRU(units, return_sequences=True, name="word_rnn")'},
)
exercise.behaviour(
    "last-state-only",
    "A GRU returns its last state only; pooling needs them all: return_sequences=True.",
    wrong={MAKE_WORD_RNN: 'layers.Bidirectional(layers.GRU(units), name="word_rnn")'},
)
exercise.behaviour(
    "pooling-unused",
    "A pooling layer is made, but call() does not use it: the states are pooled in some other way.",
    on=[f"unused:{level}_pooling.{dense}" for level in LEVELS for dense in ("project", "score")],
    wrong={f"document, _ = {SENTENCE_POOLING}": "document = ops.mean(states, axis=1)"},
)
exercise.behaviour(
    "no-second-level",
    "A GRU is made, but call() does not use it: the words of a sentence make one vector, and then the "
    "sentences of a document make one, each with a GRU and a pooling of their own.",
    on=[f"unused:{level}_rnn.{way}_layer.cell" for level in LEVELS for way in ("forward", "backward")],
    wrong={SENTENCE_RNN: "vectors"},
)
exercise.behaviour(
    "built-in-call",
    "A sublayer is built inside call(): it starts with fresh random weights at every call and never "
    "learns. Make embedding, word_rnn, word_pooling, sentence_rnn, sentence_pooling and classifier in "
    "__init__.",
    on=["no-weights", "new-state"],
    wrong={
        'self.classifier = layers.Dense(num_classes, name="classifier")': "pass",
        "self.classifier(document)": "layers.Dense(self.num_classes)(document)",
    },
)
exercise.behaviour(
    "misnamed-sublayers",
    "The sublayers have other names: the attributes must be called embedding, word_rnn, word_pooling, "
    "sentence_rnn, sentence_pooling and classifier.",
    on=["misnamed"],
    wrong={
        "self.classifier = ": "self.output_dense = ",
        "self.classifier(document)": "self.output_dense(document)",
    },
)
exercise.behaviour(
    "more-weights",
    "There are weights beyond those of the six sublayers.",
    wrong={
        "self.units = units\n        self.num": "self.bias = self.add_weight(shape=(num_classes,), "
        'initializer="zeros")\n        self.units = units\n        self.num',
        RETURN: "return self.classifier(document) + self.bias",
    },
)
exercise.behaviour(
    "config-incomplete",
    "get_config is missing (a keras.Model has none of its own) or leaves out an argument: the model "
    "cannot be built again from it.",
    wrong={'            "num_classes": self.num_classes,\n': ""},
)
exercise.behaviour(
    "no-gradient",
    "A part of the computation leaves Keras (stop_gradient, NumPy, a detour over Python numbers), so "
    "nothing before it can be trained.",
    on=["no-gradient"],
    wrong={REGROUP: f"{REGROUP}\n        vectors = ops.stop_gradient(vectors)"},
)
exercise.behaviour(
    "not-compilable",
    "call looks at the values of tensors with Python (if, float, NumPy), which works neither in a compiled "
    "function nor in a model around it.",
    wrong={WORDS: f"assert int(ops.min(tokens)) >= 0\n        {WORDS}"},
)

CONFIG = {"vocab_size": 11, "embedding_dim": 4, "units": 7, "num_classes": 6}


def documents(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Tokens without padding."""
    return rng.integers(1, 11, size=shape).astype(np.int32)


def model_of(submission: Submission, rng: np.random.Generator) -> Any:
    """The model, built on one document, with random weights; says what makes that impossible."""
    try:
        return submission.built(NAME, rng, documents(rng, 1, 2, 3), **CONFIG)
    except CheckEnded:
        explain_recurrence(submission)
        raise


def explain_recurrence(submission: Submission) -> None:
    """End the check if a GRU is not the one that was asked for."""
    owners = [f"{level}_rnn" for level in LEVELS]
    paths = [f"{owner}.forward_layer.return_sequences" for owner in owners]
    facts = submission.new(NAME, **CONFIG).facts(*paths, *owners)
    for path, owner in zip(paths, owners, strict=True):
        if facts[path] is False:
            submission.fail(f"{owner} has return_sequences=False.", "last-state-only")
        if missing(facts[path]) and not missing(facts[owner]):
            submission.fail(f"{owner} has no forward_layer: it is no Bidirectional.", "one-direction")


def missing(fact: Any) -> bool:
    return getattr(fact, "type", "") == "missing"


@exercise.check("documents without padding")
def plain(submission: Submission, rng: np.random.Generator) -> None:
    model = model_of(submission, rng)
    model.expect(documents(rng, 1, 1, 2))
    model.expect(documents(rng, 2, 3, 5))


@exercise.check("padding within sentences")
def padding(submission: Submission, rng: np.random.Generator) -> None:
    model = model_of(submission, rng)
    tokens = documents(rng, 2, 3, 5)
    tokens[0, 0, 3:] = tokens[0, 2, 0] = tokens[1, 1, 2] = tokens[1, 2, :4] = 0
    model.expect(tokens)


@exercise.check("sentences that are all padding")
def empty_sentences(submission: Submission, rng: np.random.Generator) -> None:
    model = model_of(submission, rng)
    tokens = documents(rng, 2, 4, 3)
    tokens[0, 1] = tokens[1, 0] = tokens[1, 3] = 0
    model.expect(tokens)
    tokens[0, 0, 0] = tokens[0, 3, 1] = tokens[1, 2, 2] = 0
    model.expect(tokens)


@exercise.check("a document that is all padding")
def empty_document(submission: Submission, rng: np.random.Generator) -> None:
    model = model_of(submission, rng)
    tokens = documents(rng, 2, 2, 3)
    tokens[1] = 0
    model.expect(tokens)


@exercise.check("the weights of six sublayers, made once")
def weights_once(submission: Submission, rng: np.random.Generator) -> None:
    model = model_of(submission, rng)
    model.expect(documents(rng, 2, 2, 3))
    trainable = [weight for weight in model.inventory() if weight.trainable]
    if len(trainable) != len(model.paths):
        message = f"Expected {len(model.paths)} trainable weights; found {len(trainable)}."
        submission.fail(message, "more-weights")


@exercise.check("gradients reach all weights")
def gradients(submission: Submission, rng: np.random.Generator) -> None:
    model = model_of(submission, rng)
    tokens = documents(rng, 2, 3, 3)
    tokens[0, 1] = tokens[1, 2, 1] = 0
    model.expect_gradients(rng, tokens)


@exercise.check("get_config, from_config, and saved weights")
def round_trips(submission: Submission, rng: np.random.Generator) -> None:
    model = model_of(submission, rng)
    tokens = documents(rng, 2, 3, 2)
    model.expect(tokens)
    with submission.suspecting("config-incomplete"):
        model.reloaded(tokens).expect(tokens)


@exercise.check("in fit")
def fitted(submission: Submission, rng: np.random.Generator) -> None:
    # The last check: the training step changes weights.
    model = model_of(submission, rng)
    tokens = documents(rng, 2, 3, 2)
    tokens[0, 1, 0] = 0
    model.expect(tokens)
    with submission.suspecting("not-compilable"):
        model.expect_fit([tokens], rng.normal(size=(2, 6)).astype(np.float32))
