"""Where models are trained: device, memory, precision and just-in-time compilation, decided in one place.

    from grader.device import prepare

    device = prepare()  # says what it chose
    model.compile(..., jit_compile=device.jit_compile)

On a CPU nothing changes: float32, no compilation. On a GPU memory grows as needed instead of being taken
whole, and where the GPU computes in half precision natively, layers compute in it while weights stay
float32. The grader's verdicts are not affected: they come from the CPU in float32.
"""

from __future__ import annotations

import contextlib
import os
import sys
from dataclasses import dataclass

# Tensor cores for float16 begin with 7.0 (Volta), for bfloat16 with 8.0 (Ampere).
_FLOAT16, _BFLOAT16 = (7, 0), (8, 0)


@dataclass(frozen=True)
class Device:
    """What `prepare` chose.

    Attributes:
        backend: Keras's backend: "tensorflow", "jax" or "torch".
        name: The device as its driver calls it, or "CPU".
        count: How many GPUs there are; 0 on a CPU.
        policy: Keras's dtype policy, such as "float32" or "mixed_bfloat16".
        jit_compile: What to pass to `model.compile`.
    """

    backend: str
    name: str
    count: int
    policy: str
    jit_compile: bool

    def __str__(self) -> str:
        where = f"{self.name} ({os.cpu_count()} cores)" if not self.count else self.name
        several = f" (the first of {self.count})" if self.count > 1 else ""
        compiled = "with" if self.jit_compile else "no"
        return f"{self.backend} on {where}{several}: {self.policy}, {compiled} just-in-time compilation"


def choose_policy(capability: tuple[int, int] | None) -> str:
    """Return the dtype policy for a GPU's compute capability; None stands for a CPU."""
    if capability is None or capability < _FLOAT16:
        return "float32"
    return "mixed_bfloat16" if capability >= _BFLOAT16 else "mixed_float16"


def prepare(*, mixed_precision: bool = True, quiet: bool = False) -> Device:
    """Set Keras up for the device at hand, before any model is made.

    Args:
        mixed_precision: Whether half precision may be used where the GPU is made for it.
        quiet: Say nothing.
    """
    import keras

    backend = keras.backend.backend()
    find = {"tensorflow": _tensorflow, "jax": _jax, "torch": _torch}.get(backend)
    name, count, capability = find() if find is not None else ("CPU", 0, None)
    policy = choose_policy(capability if mixed_precision else None)
    keras.config.set_dtype_policy(policy)
    # On a CPU, compiling the models of these lessons takes longer than it saves; JAX needs it always.
    jit_compile = backend == "jax" or (backend == "tensorflow" and count > 0)
    device = Device(backend, name, count, policy, jit_compile)
    if not quiet:
        print(device, file=sys.stdout)
    return device


Found = tuple[str, int, tuple[int, int] | None]


def _tensorflow() -> Found:
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    if not gpus:
        return "CPU", 0, None
    for gpu in gpus:
        with contextlib.suppress(RuntimeError):  # too late once it has been used
            tf.config.experimental.set_memory_growth(gpu, True)
    details = tf.config.experimental.get_device_details(gpus[0])
    return details.get("device_name", "GPU"), len(gpus), details.get("compute_capability")


def _jax() -> Found:
    # Read when JAX first touches the device: from then on it has taken what it takes.
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    import jax

    gpus = [device for device in jax.devices() if device.platform == "gpu"]
    if not gpus:
        return "CPU", 0, None
    capability = str(getattr(gpus[0], "compute_capability", "0.0")).split(".")
    return gpus[0].device_kind, len(gpus), (int(capability[0]), int(capability[-1]))


def _torch() -> Found:
    import torch

    if not torch.cuda.is_available():
        return "CPU", 0, None
    return torch.cuda.get_device_name(0), torch.cuda.device_count(), torch.cuda.get_device_capability(0)
