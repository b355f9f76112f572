"""KerasHub's Transformer layers as third witnesses: with the same weights they agree with our oracles."""

from __future__ import annotations

import importlib.util
import warnings
from typing import Any

import numpy as np
import pytest

from grader import registry, transformer_reference
from grader.submission import LayerState

pytestmark = [pytest.mark.keras, pytest.mark.filterwarnings("ignore")]

BATCH, LENGTH, MEMORY, WIDTH, HEADS, INNER = 2, 5, 4, 8, 2, 11
OURS_TO_THEIRS = {
    "self_attention": "_self_attention_layer",
    "attention_norm": "_self_attention_layer_norm",
    "self_attention_norm": "_self_attention_layer_norm",
    "cross_attention": "_cross_attention_layer",
    "cross_attention_norm": "_cross_attention_layer_norm",
    "ffn_inner": "_feedforward_intermediate_dense",
    "ffn_outer": "_feedforward_output_dense",
    "ffn_norm": "_feedforward_layer_norm",
}


@pytest.fixture(scope="module")
def hub() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("keras_hub", reason="uv run --group witnesses pytest")


def random_state(paths: list[str], seed: int) -> LayerState:
    rng = np.random.default_rng(seed)
    shapes = transformer_reference.shapes(paths, WIDTH, HEADS, INNER)
    return LayerState({}, {path: rng.normal(size=shape) / 2 for path, shape in shapes.items()})


def give(layer: Any, state: LayerState) -> None:
    """Assign our weights to their layer."""
    for path, value in state.weights.items():
        owner, *rest = path.split(".")
        found = getattr(layer, OURS_TO_THEIRS[owner])
        for name in rest:
            found = getattr(found, f"_{name}" if name.endswith("_dense") else name)
        found.assign(value)


def arrays(seed: int, *shapes: tuple[int, ...]) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.normal(size=shape) for shape in shapes]


def test_encoder_layer(hub) -> None:
    state = random_state(transformer_reference.ENCODER_PATHS, 25)
    (x,) = arrays(1, (BATCH, LENGTH, WIDTH))
    mask = np.ones((BATCH, LENGTH, LENGTH), bool)
    mask[1, :, 3:] = False
    theirs = hub.layers.TransformerEncoder(INNER, HEADS, dropout=0.0, layer_norm_epsilon=1e-6)
    theirs(x)
    give(theirs, state)
    expected = np.asarray(theirs(x.astype("float32"), attention_mask=mask))
    ours = registry.load(25).oracles["TransformerEncoderLayer"](state, x, mask)
    np.testing.assert_allclose(ours, expected, atol=1e-4)


def test_decoder_layer(hub) -> None:
    state = random_state(transformer_reference.DECODER_PATHS, 26)
    x, memory = arrays(2, (BATCH, LENGTH, WIDTH), (BATCH, MEMORY, WIDTH))
    mask = np.array([[True] * MEMORY, [True, True, False, False]])
    theirs = hub.layers.TransformerDecoder(INNER, HEADS, dropout=0.0, layer_norm_epsilon=1e-6)
    theirs(x, memory)
    give(theirs, state)
    expected = theirs(x.astype("float32"), memory.astype("float32"), encoder_padding_mask=mask)
    ours = registry.load(26).oracles["TransformerDecoderLayer"](state, x, memory, mask)
    np.testing.assert_allclose(ours, np.asarray(expected), atol=1e-4)


@pytest.mark.parametrize("width", [8, 7])
def test_sinusoids(hub, width: int) -> None:
    table = np.random.default_rng(3).normal(size=(6, width))
    state = LayerState(
        {"vocab_size": 6, "d_model": width, "max_length": 9}, {"token_embedding.embeddings": table}
    )
    tokens = np.array([[1, 4, 2, 5, 3], [2, 2, 1, 0, 0]])
    ours = registry.load(24).oracles["PositionalEmbedding"](state, tokens)
    positions = hub.layers.SinePositionEncoding()(np.zeros((2, 5, width), "float32"))
    np.testing.assert_allclose(ours, table[tokens] * np.sqrt(width) + np.asarray(positions), atol=1e-4)


def test_masked_language_model_head(hub) -> None:
    """On states that are normalised already, and with a linear identity for its dense layer, it is ours."""
    keras = pytest.importorskip("keras")
    vocab_size, length = 13, 6
    bert = load_solution(28).Bert(vocab_size, 1, WIDTH, HEADS, INNER, max_length=length)
    tokens = np.random.default_rng(4).integers(0, vocab_size, size=(BATCH, length))
    ours = {name: keras.ops.convert_to_numpy(value) for name, value in bert(tokens).items()}
    tied = hub.layers.ReversibleEmbedding(vocab_size, WIDTH)
    tied.build()
    tied.set_weights(bert.token_embedding.get_weights())
    head = hub.layers.MaskedLMHead(
        token_embedding=tied, intermediate_activation="linear", layer_norm_epsilon=1e-6
    )
    states, everywhere = ours["sequence_output"], np.tile(np.arange(length), (BATCH, 1))
    head(states, mask_positions=everywhere)
    head._intermediate_dense.set_weights([np.eye(WIDTH), np.zeros(WIDTH)])
    theirs = keras.ops.convert_to_numpy(head(states, mask_positions=everywhere))
    np.testing.assert_allclose(ours["mlm_logits"], theirs, atol=1e-3)


def test_self_attention_is_one_head(hub) -> None:
    keras = pytest.importorskip("keras")
    parts = ("query_dense", "key_dense", "value_dense", "output_dense")
    (x,) = arrays(5, (BATCH, LENGTH, WIDTH))
    rng = np.random.default_rng(22)
    shapes = {
        f"{part}.{kind}": (WIDTH,) * rank for part in parts for kind, rank in (("kernel", 2), ("bias", 1))
    }
    state = LayerState(
        {"d_model": WIDTH}, {path: rng.normal(size=shape) / 2 for path, shape in shapes.items()}
    )
    mask = np.tri(LENGTH, dtype=bool)
    theirs = keras.layers.MultiHeadAttention(1, WIDTH)
    theirs.build((None, None, WIDTH), (None, None, WIDTH))
    for part in parts:
        for variable in getattr(theirs, part).weights:
            kind = "kernel" if "kernel" in variable.path else "bias"
            variable.assign(state[f"{part}.{kind}"].reshape(variable.shape))
    narrow = x.astype("float32")
    expected, weights = theirs(narrow, narrow, attention_mask=mask[None], return_attention_scores=True)
    ours = registry.load(22).oracles["SelfAttention"](state, x, mask, return_attention_scores=True)
    np.testing.assert_allclose(ours[0], keras.ops.convert_to_numpy(expected), atol=1e-4)
    np.testing.assert_allclose(ours[1], keras.ops.convert_to_numpy(weights)[:, 0], atol=1e-5)


def load_solution(number: int) -> Any:
    """Import a reference solution."""
    path = registry.solution_file(f"exercise_{number:02d}")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
