"""Our Keras layers, forward and backward, against Keras's and KerasHub's: time and memory of a step.

    uv run --group witnesses python benchmarks/attention_layers.py [rounds]

B = 8, T = 128, D = 256, H = 8, float32 on the CPU, as a compiled graph (tf.function). Ours and theirs run
in processes of their own, by turns, so that a busy moment touches both. Memory is what a process takes at
most above what it had with the layer built.
"""

from __future__ import annotations

import importlib.util
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
BATCH, LENGTH, WIDTH, HEADS, INNER, STEPS = 8, 128, 256, 8, 1024, 40
PAIRS = {
    "exercise_23 MultiHeadAttention": ("ours_attention", "keras_attention"),
    "exercise_25 TransformerEncoderLayer": ("ours_encoder", "hub_encoder"),
}


def solution(number: int) -> Any:
    """Import a reference solution."""
    path = ROOT / "solutions" / f"exercise_{number:02d}.py"
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def make(name: str) -> Any:
    """A layer or model of one input."""
    import keras

    if name == "ours_attention":
        layer = solution(23).MultiHeadAttention(HEADS, WIDTH)
    elif name == "keras_attention":
        layer = keras.layers.MultiHeadAttention(HEADS, WIDTH // HEADS)
    elif name == "ours_encoder":
        return solution(25).TransformerEncoderLayer(WIDTH, HEADS, INNER, dropout=0.0)
    else:
        import keras_hub

        return keras_hub.layers.TransformerEncoder(INNER, HEADS, dropout=0.0, layer_norm_epsilon=1e-6)
    inputs = keras.Input((LENGTH, WIDTH))
    return keras.Model(inputs, layer(inputs, inputs))


def peak() -> int:
    """The most bytes this process ever had resident."""
    with open("/proc/self/status", encoding="utf-8") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmHWM"))


def child(name: str) -> None:
    """Measure one layer; print a JSON object."""
    import numpy as np
    import tensorflow as tf

    x = tf.constant(np.random.default_rng(0).normal(size=(BATCH, LENGTH, WIDTH)).astype("float32"))
    layer = make(name)
    layer(x)
    before = peak()

    @tf.function
    def step() -> Any:
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(layer(x) ** 2)
        return tape.gradient(loss, [weight.value for weight in layer.trainable_weights])

    seconds = []
    for _ in range(STEPS):
        start = time.perf_counter()
        step()[0].numpy()
        seconds.append(time.perf_counter() - start)
    print(json.dumps({"seconds": statistics.median(seconds[5:]), "bytes": peak() - before}))


def run(name: str) -> dict[str, float]:
    """Measure one layer in a process of its own."""
    environment = {**os.environ, "KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, __file__, "--child", name]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    """Print a line for each pair of layers."""
    if sys.argv[1:2] == ["--child"]:
        child(sys.argv[2])
        return
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    for title, (ours, theirs) in PAIRS.items():
        pairs = [(run(ours), run(theirs)) for _ in range(rounds)]
        mine, other = (
            {key: statistics.median(pair[side][key] for pair in pairs) for key in ("seconds", "bytes")}
            for side in (0, 1)
        )
        print(
            f"{title}: {mine['seconds'] * 1000:.1f} ms a step = {mine['seconds'] / other['seconds']:.2f} x "
            f"{theirs} ({other['seconds'] * 1000:.1f} ms), aim at most 1.05 x; memory "
            f"{mine['bytes'] / 2**20:.0f} MiB = {mine['bytes'] / max(other['bytes'], 1):.2f} x"
        )


if __name__ == "__main__":
    main()
