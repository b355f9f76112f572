"""`python -m grader doctor`: what is installed, which devices there are, which confinement holds."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
import sys

import click

from grader import confinement
from grader.worker import seccomp
from grader.workers import Worker

_PACKAGES = ("keras", "tensorflow", "jax", "torch", "numpy", "matplotlib", "jupyterlab")
_DEVICES = """
import keras
backend = keras.backend.backend()
if backend == "tensorflow":
    import tensorflow
    found = [device.name for device in tensorflow.config.list_physical_devices()]
elif backend == "jax":
    import jax
    found = [str(device) for device in jax.devices()]
else:
    import torch
    count = torch.cuda.device_count()
    found = ["cpu", *(torch.cuda.get_device_name(number) for number in range(count))]
print(backend, "on", ", ".join(found))
"""


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _devices() -> str:
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, "-c", _DEVICES]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    lines = (done.stdout if done.returncode == 0 else done.stderr).strip().splitlines()
    return lines[-1] if lines else "no answer"


def _confinements() -> list[tuple[str, str]]:
    rows: list[tuple[str, str]] = []
    for sandbox in confinement.candidates():
        try:
            process = confinement.start(sandbox)
        except confinement.WorkerStartError as error:
            rows.append((sandbox, f"does not start: {error}"))
            continue
        answer = process.control.recv(64)
        rows.append((sandbox, "works" if answer else f"does not start: {process.log_tail()}"))
        process.stop()
    return rows


def report() -> bool:
    """Print the report; whether grading works here."""
    rows = [("python", f"{platform.python_version()} ({sys.executable})")]
    rows += [("system", f"{platform.system()} {platform.release()} {platform.machine()}")]
    rows += [(package, _version(package)) for package in _PACKAGES]
    rows += [("devices", _devices()), *_confinements()]
    rows += [("system calls", "filtered" if seccomp.available() else "not filtered on this system")]
    for name, text in rows:
        click.echo(f"{name:14} {text}")
    try:
        with Worker() as worker:
            worker.preload("numpy")
            click.echo(f"Grading works here, confined by {worker.sandbox}.")
    except confinement.WorkerStartError as error:
        click.echo(f"Grading does not work here: {error}")
        return False
    if worker.sandbox == "limits":
        click.echo("Install bubblewrap (Debian, Ubuntu: apt install bubblewrap) to confine learner code.")
    return True
