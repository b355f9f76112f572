"""Third witnesses for the Keras exercises with recurrent attention: Keras's own layers, and formulas."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from grader import registry
from grader.submission import LayerState

pytestmark = [pytest.mark.keras, pytest.mark.filterwarnings("ignore")]


@pytest.fixture(scope="module")
def keras():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("keras")


def random_weights(rng: np.random.Generator, shapes: dict[str, tuple[int, ...]]) -> dict[str, np.ndarray]:
    """Weights that float32 holds, in float64."""
    draw = {path: rng.normal(size=shape) / np.sqrt(shape[0]) for path, shape in shapes.items()}
    return {path: array.astype(np.float32).astype(np.float64) for path, array in draw.items()}


@pytest.mark.parametrize("masked", [False, True])
def test_bahdanau_attention_is_additive_attention(keras, masked: bool) -> None:
    """With score_dense's kernel as its scale, Keras's layer does the same to the projections."""
    rng = np.random.default_rng(1)
    batch, length, units, width = 2, 5, 6, 3
    shapes = {
        "query_dense.kernel": (4, units),
        "query_dense.bias": (units,),
        "value_dense.kernel": (width, units),
        "value_dense.bias": (units,),
        "score_dense.kernel": (units, 1),
        "score_dense.bias": (1,),
    }
    state = LayerState({"units": units}, random_weights(rng, shapes))
    query, values = rng.normal(size=(batch, 4)), rng.normal(size=(batch, length, width))
    mask = rng.random(size=(batch, length)) < 0.6 if masked else np.ones((batch, length), bool)
    mask[:, 2] = True
    queries = query @ state["query_dense.kernel"] + state["query_dense.bias"]
    keys = values @ state["value_dense.kernel"] + state["value_dense.bias"]
    theirs = keras.layers.AdditiveAttention()
    theirs.build([(batch, 1, units), (batch, length, width), (batch, length, units)])
    theirs.set_weights([state["score_dense.kernel"][:, 0]])
    arrays = [array.astype(np.float32) for array in (queries[:, None], values, keys)]
    context, weights = theirs(arrays, mask=[None, mask], return_attention_scores=True)
    ours = registry.load(17).oracles["BahdanauAttention"](state, query, values, mask if masked else None)
    np.testing.assert_allclose(ours[0], keras.ops.convert_to_numpy(context)[:, 0], atol=1e-5)
    np.testing.assert_allclose(ours[1], keras.ops.convert_to_numpy(weights)[:, 0], atol=1e-5)


def test_attention_pooling_one_state_at_a_time() -> None:
    rng = np.random.default_rng(2)
    shapes = {"project.kernel": (3, 6), "project.bias": (6,), "score.kernel": (6, 1)}
    state = LayerState({"units": 6}, random_weights(rng, shapes))
    states = rng.normal(size=(2, 5, 3))
    mask = np.array([[True, False, True, True, False], [False] * 5])
    pooled, weights = registry.load(18).oracles["AttentionPooling"](state, states, mask)
    for example in range(2):
        powers = np.zeros(5)
        for position in np.flatnonzero(mask[example]):
            hidden = np.tanh(states[example, position] @ state["project.kernel"] + state["project.bias"])
            powers[position] = np.exp(hidden @ state["score.kernel"][:, 0])
        expected = powers / max(powers.sum(), 1e-300)
        np.testing.assert_allclose(weights[example], expected, atol=1e-12)
        np.testing.assert_allclose(pooled[example], expected @ states[example], atol=1e-12)


@pytest.mark.parametrize("reset_after", [True, False])
def test_gru_step_is_keras_gru_cell(keras, reset_after: bool) -> None:
    import importlib

    suite = importlib.import_module("grader.suites.exercise_21")
    rng = np.random.default_rng(3)
    units, width = 7, 4
    cell = keras.layers.GRUCell(units, reset_after=reset_after)
    cell.build((2, width))
    weights = [rng.normal(size=weight.shape) for weight in cell.get_weights()]
    cell.set_weights(weights)
    x, h = rng.normal(size=(2, width)), rng.normal(size=(2, units))
    theirs, _ = cell(x.astype(np.float32), [h.astype(np.float32)])
    step = suite.gru_step if reset_after else suite.gru_step_resetting_first
    np.testing.assert_allclose(step(x, h, weights), keras.ops.convert_to_numpy(theirs), atol=1e-5)


def test_hierarchical_attention_without_padding(keras) -> None:
    """Cut all padding out and run Keras's own cells sentence by sentence: no mask is needed then."""
    rng = np.random.default_rng(4)
    exercise = registry.load(21)
    units, embedding = 7, 4
    shapes: dict[str, tuple[int, ...]] = {"embedding.embeddings": (11, embedding)}
    for level, width in (("word", embedding), ("sentence", 2 * units)):
        for way in ("forward", "backward"):
            cell = f"{level}_rnn.{way}_layer.cell"
            shapes |= {f"{cell}.kernel": (width, 3 * units), f"{cell}.recurrent_kernel": (units, 3 * units)}
            shapes |= {f"{cell}.bias": (2, 3 * units)}
        pooling = f"{level}_pooling"
        shapes |= {f"{pooling}.project.kernel": (2 * units, units), f"{pooling}.project.bias": (units,)}
        shapes |= {f"{pooling}.score.kernel": (units, 1)}
    shapes |= {"classifier.kernel": (2 * units, 6), "classifier.bias": (6,)}
    state = LayerState({}, random_weights(rng, shapes))
    assert set(shapes) == set(exercise.weights["HierarchicalAttention"])
    cells = {}
    for level, width in (("word", embedding), ("sentence", 2 * units)):
        for way in ("forward", "backward"):
            cells[level, way] = keras.layers.GRUCell(units)
            cells[level, way].build((1, width))
            path = f"{level}_rnn.{way}_layer.cell"
            names = ("kernel", "recurrent_kernel", "bias")
            cells[level, way].set_weights([state[f"{path}.{name}"] for name in names])

    def read(level: str, way: str, rows: list[np.ndarray]) -> list[np.ndarray]:
        h = np.zeros((1, units), np.float32)
        outputs = []
        for row in rows if way == "forward" else rows[::-1]:
            h = keras.ops.convert_to_numpy(cells[level, way](row[None].astype(np.float32), [h])[0])
            outputs.append(h[0].astype(np.float64))
        return outputs if way == "forward" else outputs[::-1]

    def encode(level: str, rows: list[np.ndarray]) -> np.ndarray:
        ways = zip(read(level, "forward", rows), read(level, "backward", rows), strict=True)
        states = np.array([np.concatenate(pair) for pair in ways])
        path = f"{level}_pooling"
        hidden = np.tanh(states @ state[f"{path}.project.kernel"] + state[f"{path}.project.bias"])
        powers = np.exp(hidden @ state[f"{path}.score.kernel"][:, 0])
        return powers @ states / powers.sum()

    tokens = rng.integers(1, 11, size=(2, 4, 5))
    tokens[0, 1] = tokens[1, 0] = tokens[0, 0, 3:] = tokens[0, 2, 0] = tokens[1, 1, 2] = tokens[
        1, 3, :4
    ] = 0
    logits = exercise.oracles["HierarchicalAttention"](state, tokens)
    for document, expected in zip(tokens, logits, strict=True):
        vectors = []
        for sentence in document:
            words = [state["embedding.embeddings"][token] for token in sentence if token]
            if words:
                vectors.append(encode("word", words))
        found = encode("sentence", vectors) @ state["classifier.kernel"] + state["classifier.bias"]
        np.testing.assert_allclose(found, expected, atol=1e-5)


MADE = """
    def made(self):
        self.score_dense = layers.Dense(1)
        return self.score_dense
"""
IN_CALL = {
    "local": ("", "layers.Dense(1)(hidden)"),
    "assigned": ("", "self.made()(hidden)"),
    "assigned again": ('self.score_dense = layers.Dense(1, name="score_dense")', "self.made()(hidden)"),
}


@pytest.mark.parametrize("how", IN_CALL)
def test_a_sublayer_built_inside_call_is_named(grade_text, how: str) -> None:
    """The most frequent mistake, in the forms that people write."""
    made, used = IN_CALL[how]
    text = registry.solution_file("exercise_17").read_text(encoding="utf-8")
    text = text.replace('self.score_dense = layers.Dense(1, name="score_dense")', made or "pass")
    text = text.replace("self.score_dense(hidden)", used)
    text += MADE
    verdict = grade_text(17, text)
    named = {check.misconception for check in verdict.checks}
    assert "built-in-call" in named - {None}
    assert named - {None} == {"built-in-call"}
