"""Keras's own layers as third witnesses: oracle, solution and Keras agree."""

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


def test_softmax(keras) -> None:
    rng = np.random.default_rng(1)
    oracle = registry.load(1).oracles["softmax"]
    scores = rng.normal(size=(2, 3, 4)) * 5
    for axis in (0, 1, -1):
        theirs = keras.ops.convert_to_numpy(keras.ops.softmax(scores, axis=axis))
        np.testing.assert_allclose(oracle(scores, axis), theirs, rtol=1e-6)


def test_scaled_dot_product_attention(keras) -> None:
    rng = np.random.default_rng(2)
    oracle = registry.load(3).oracles["scaled_dot_product_attention"]
    query, key, value = rng.normal(size=(2, 3, 5)), rng.normal(size=(2, 4, 5)), rng.normal(size=(2, 4, 5))
    mask = rng.random(size=(2, 3, 4)) < 0.6
    mask[..., 0] = True
    layer = keras.layers.Attention()
    for inverse in (1.0, 5**-0.5):
        context, weights = layer(
            [query * inverse, value, key], return_attention_scores=True, use_causal_mask=False
        )
        ours = oracle(query * inverse * 5**0.5, key, value)
        np.testing.assert_allclose(ours[0], keras.ops.convert_to_numpy(context), atol=1e-5)
        np.testing.assert_allclose(ours[1], keras.ops.convert_to_numpy(weights), atol=1e-5)
    theirs = keras.ops.dot_product_attention(
        query[:, :, None], key[:, :, None], value[:, :, None], mask=mask[:, None]
    )
    theirs = keras.ops.convert_to_numpy(theirs)[:, :, 0]
    np.testing.assert_allclose(oracle(query, key, value, mask)[0], theirs, atol=1e-5)


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("rank", [0, 2, 3, 4])
@pytest.mark.parametrize("own_key", [False, True])
def test_multi_head_attention(keras, causal: bool, rank: int, own_key: bool) -> None:
    rng = np.random.default_rng(3)
    heads, width, batch, queries, keys = 3, 12, 2, 4, 5
    layer = keras.layers.MultiHeadAttention(
        heads, width // heads, value_dim=width // heads, output_shape=width
    )
    query, value, key = (rng.normal(size=(batch, n, 12)).astype("float32") for n in (queries, keys, keys))
    layer(query, value, key)
    names = {
        "query": "query_dense",
        "key": "key_dense",
        "value": "value_dense",
        "attention_output": "output_dense",
    }
    weights = {}
    for theirs, ours in names.items():
        dense = getattr(layer, f"_{theirs.removeprefix('attention_')}_dense")
        kernel, bias = (rng.normal(size=weight.shape).astype("float32") / 3 for weight in dense.weights)
        dense.set_weights([kernel, bias])
        weights[f"{ours}.kernel"] = kernel.reshape(12, 12).astype(float)
        weights[f"{ours}.bias"] = bias.reshape(12).astype(float)
    shapes = {2: (queries, keys), 3: (batch, queries, keys), 4: (batch, heads, queries, keys)}
    mask = None
    if rank:
        mask = rng.random(size=shapes[rank]) < 0.6
        mask[..., 0] = True
    # Keras wants the batch axis in its masks.
    given = np.broadcast_to(mask, shapes[3]) if rank == 2 else mask
    output, scores = layer(
        query,
        value,
        key if own_key else None,
        attention_mask=given,
        return_attention_scores=True,
        use_causal_mask=causal,
    )
    state = LayerState({"num_heads": heads, "d_model": width}, weights)
    oracle = registry.load(23).oracles["MultiHeadAttention"]
    ours = oracle(state, query, value, key if own_key else None, mask, True, causal)
    np.testing.assert_allclose(ours[0], keras.ops.convert_to_numpy(output), atol=2e-5)
    np.testing.assert_allclose(ours[1], keras.ops.convert_to_numpy(scores), atol=2e-5)
