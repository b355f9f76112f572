"""Starts the worker in the strongest confinement this machine allows, and says which it was.

"bubblewrap": own namespaces, no network, a file system that holds only the interpreter, its packages
and the worker. "landlock": the same files readable, nothing else (Linux 5.13 and later). "limits":
resource limits only. The system-call filter, the limits and the watchdog apply in all three.
Only the standard library is imported here: the worker starts before the judge loads anything else.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal, get_args

Sandbox = Literal["bubblewrap", "landlock", "limits"]
CHOICE_VARIABLE = "ATTENTION_DOJO_SANDBOX"
WORKER_FOLDER = Path(__file__).resolve().parent / "worker"
_TMP_BYTES = 512 * 1024 * 1024
_SYSTEM_FOLDERS = ("/usr", "/lib", "/lib64", "/bin", "/sbin", "/opt", "/nix/store")
_SYSTEM_FILES = ("/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/localtime")
_KERNEL_FILES = ("/proc/cpuinfo", "/proc/meminfo", "/proc/stat", "/sys/devices/system")
_DEVICES = ("/dev/null", "/dev/zero", "/dev/urandom", "/dev/random")


class WorkerStartError(RuntimeError):
    """No worker could be started; the message says what was tried and what it said."""


@dataclass
class Process:
    """A started worker: the process, its control socket, its log, its confinement."""

    popen: subprocess.Popen[bytes]
    control: socket.socket
    log: IO[bytes]
    sandbox: Sandbox
    folder: tempfile.TemporaryDirectory[str]
    scratch: str  # where sessions may write, as the worker sees it

    def log_tail(self) -> str:
        """Return the end of what the worker wrote about itself."""
        self.log.seek(0)
        return self.log.read()[-2000:].decode(errors="replace").strip()

    def stop(self) -> None:
        """End the worker and everything it started, and remove its folder."""
        self.popen.kill()
        self.popen.wait()
        self.control.close()
        self.log.close()
        self.folder.cleanup()


def candidates() -> list[Sandbox]:
    """List the confinements to try here, strongest first; the environment can name one."""
    chosen = os.environ.get(CHOICE_VARIABLE, "")
    if chosen:
        if chosen not in get_args(Sandbox):
            expected = ", ".join(get_args(Sandbox))
            raise WorkerStartError(f"{CHOICE_VARIABLE}: expected one of {expected}; got {chosen!r}")
        return [chosen]  # type: ignore[list-item]
    found: list[Sandbox] = []
    if shutil.which("bwrap"):
        found.append("bubblewrap")
    if landlock_version() > 0:
        found.append("landlock")
    return [*found, "limits"]


def landlock_version() -> int:
    """Return the kernel's Landlock version, 0 where there is none."""
    if sys.platform != "linux":
        return 0
    try:
        import landlock

        return int(landlock.landlock_abi_version())
    except Exception:  # not installed, not compiled in, or switched off: all mean "none"
        return 0


def package_folders() -> list[str]:
    """List the folders that installed packages are imported from.

    A folder of the user's own (PYTHONPATH, a script's folder) is none of the worker's business.
    """
    folders = dict.fromkeys(os.path.realpath(entry) for entry in sys.path if entry)
    names = ("site-packages", "dist-packages")
    return [path for path in folders if os.path.isdir(path) and any(name in path for name in names)]


def _readable() -> list[str]:
    prefixes = [sys.prefix, sys.base_prefix, os.path.dirname(os.path.realpath(sys.executable))]
    wanted = [*prefixes, *package_folders(), str(WORKER_FOLDER)]
    return list(dict.fromkeys(path for path in wanted if os.path.isdir(path)))


def _hidden() -> list[str]:
    """Folders that must not exist for the worker, should a readable one contain them."""
    project = WORKER_FOLDER.parent.parent
    names = ("solutions", "exercises", "tests", "notebooks", "benchmarks", ".git")
    return [str(project / name) for name in names if (project / name).is_dir()]


def _bubblewrap_arguments() -> list[str]:
    arguments = ["bwrap", "--unshare-all", "--die-with-parent", "--cap-drop", "ALL"]
    if os.getuid() == 0:
        # Without it root may not give its sessions user namespaces; they themselves have no capability.
        arguments += ["--cap-add", "CAP_SETFCAP"]
    arguments += ["--proc", "/proc", "--dev", "/dev", "--size", str(_TMP_BYTES), "--tmpfs", "/tmp"]
    for path in _SYSTEM_FOLDERS:
        if os.path.islink(path):
            arguments += ["--symlink", os.readlink(path), path]
        elif os.path.isdir(path):
            arguments += ["--ro-bind", path, path]
    for path in _SYSTEM_FILES:
        arguments += ["--ro-bind-try", path, path]
    readable = _readable()
    for path in readable:
        arguments += ["--ro-bind", path, path]
    package = str(WORKER_FOLDER.parent)
    bound = [path for path in (*_SYSTEM_FOLDERS, *readable) if path != str(WORKER_FOLDER)]
    for path in (*_hidden(), package):
        if any(Path(path).is_relative_to(folder) for folder in bound):
            arguments += ["--tmpfs", path]
    # Again, in case the package's folder was just hidden.
    arguments += ["--ro-bind", str(WORKER_FOLDER), str(WORKER_FOLDER)]
    return [*arguments, "--remount-ro", "/dev", "--remount-ro", "/", "--chdir", "/tmp", "--"]


def _without(path: str, hidden: list[str]) -> list[str]:
    """Split a folder into its entries until none contains a hidden folder (rules only add)."""
    inside = [folder for folder in hidden if Path(folder).is_relative_to(path)]
    if not inside:
        return [path]
    if path in inside:
        return []
    entries = sorted(os.path.join(path, name) for name in os.listdir(path))
    return [kept for entry in entries for kept in _without(entry, inside)]


def _landlock_rules(scratch: str) -> dict[str, list[str]]:
    wanted = [*_SYSTEM_FOLDERS, *_SYSTEM_FILES, *_KERNEL_FILES, *_DEVICES, *_readable()]
    hidden = [*_hidden(), str(WORKER_FOLDER.parent)]
    readable = [kept for path in wanted for kept in _without(path, hidden)]
    # Submissions may read the worker's own code: there is nothing in it to be learnt. Of /proc a session
    # sees what is its own: TensorFlow cannot start a thread without /proc/self.
    readable = [*readable, str(WORKER_FOLDER)]
    return {
        "readable": [*readable, "/proc"],
        "writable": [scratch, "/dev/null"],
        "session": [*readable, "/proc/self"],
    }


def _environment(scratch: str) -> dict[str, str]:
    backend = os.environ.get("KERAS_BACKEND", "tensorflow")
    return {
        "PATH": "/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "HOME": scratch,
        "TMPDIR": scratch,
        "KERAS_HOME": "/dev/null/keras",  # a place where no submission can leave a configuration
        "MPLCONFIGDIR": os.path.join(scratch, "matplotlib"),
        "MPLBACKEND": "Agg",
        "KERAS_BACKEND": backend,
        "TF_CPP_MIN_LOG_LEVEL": "3",
        # Verdicts come from the CPU, so that the same tolerances hold on every machine.
        "CUDA_VISIBLE_DEVICES": "-1",
        "JAX_PLATFORMS": "cpu",
        # Checks run many small operations once: what these two prepare costs more than it saves.
        "TF_ENABLE_ONEDNN_OPTS": "0",
        "XLA_FLAGS": "--xla_backend_optimization_level=0",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
    }


def start(sandbox: Sandbox) -> Process:
    """Start a worker in one confinement. Whether it came up shows when it is first spoken to."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    folder = tempfile.TemporaryDirectory(prefix="attention-dojo-", ignore_cleanup_errors=True)
    scratch = "/tmp" if sandbox == "bubblewrap" else os.path.realpath(folder.name)
    config = {
        "packages": package_folders(),
        "scratch": scratch,
        "landlock": _landlock_rules(scratch) if sandbox == "landlock" else None,
    }
    python = [sys.executable, "-I", "-S", "-B", "-X", "utf8", str(WORKER_FOLDER)]
    command = [*python, str(theirs.fileno()), json.dumps(config)]
    if sandbox == "bubblewrap":
        command = _bubblewrap_arguments() + command
    log = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the worker
    try:
        popen = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=_environment(scratch),
            cwd="/" if sandbox == "bubblewrap" else scratch,
            pass_fds=[theirs.fileno()],
            start_new_session=True,
        )
    except OSError as error:
        ours.close()
        log.close()
        folder.cleanup()
        raise WorkerStartError(f"{command[0]} could not be started: {error}") from error
    finally:
        theirs.close()
    return Process(popen, ours, log, sandbox, folder, scratch)
