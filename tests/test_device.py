"""What the lessons' device module decides, with and without a GPU."""

from __future__ import annotations

import warnings

import pytest

from grader import device


@pytest.mark.parametrize(
    ("capability", "policy"),
    [
        (None, "float32"),
        ((6, 1), "float32"),
        ((7, 0), "mixed_float16"),
        ((7, 5), "mixed_float16"),
        ((8, 0), "mixed_bfloat16"),
        ((9, 0), "mixed_bfloat16"),
    ],
)
def test_policy(capability: tuple[int, int] | None, policy: str) -> None:
    assert device.choose_policy(capability) == policy


@pytest.fixture
def keras():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        keras = pytest.importorskip("keras")
    before = keras.config.dtype_policy()
    yield keras
    keras.config.set_dtype_policy(before)


@pytest.mark.keras
def test_a_cpu_changes_nothing(keras, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.setattr(device, "_tensorflow", lambda: ("CPU", 0, None))
    found = device.prepare()
    assert (found.policy, found.jit_compile) == ("float32", False)
    assert keras.config.dtype_policy().name == "float32"
    assert "CPU" in capsys.readouterr().out


@pytest.mark.keras
def test_a_gpu_computes_in_half_precision_and_keeps_float32_weights(
    keras, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    monkeypatch.setattr(device, "_tensorflow", lambda: ("NVIDIA H200", 1, (9, 0)))
    found = device.prepare()
    assert (found.policy, found.jit_compile) == ("mixed_bfloat16", True)
    layer = keras.layers.Dense(3)
    layer.build((None, 2))
    assert layer.compute_dtype == "bfloat16"
    assert layer.kernel.dtype == "float32"
    assert "NVIDIA H200" in capsys.readouterr().out


@pytest.mark.keras
def test_half_precision_can_be_declined(keras, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.setattr(device, "_tensorflow", lambda: ("NVIDIA H200", 1, (9, 0)))
    assert device.prepare(mixed_precision=False, quiet=True).policy == "float32"
    assert not capsys.readouterr().out
