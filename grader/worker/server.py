"""The worker server: imports what exercises need, runs no operation, forks a session per grading.

`import keras` takes seconds, a fork milliseconds. The server must not run a single TensorFlow
operation: its thread pools would not survive the fork.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import gc
import importlib
import itertools
import json
import os
import resource
import signal
import socket
import sys
import time
from typing import Any

# Keras imports these when they are installed, only to draw pictures: half a second saved.
_NOT_FOR_KERAS = ("matplotlib", "matplotlib.pyplot", "IPython", "pandas", "pydot", "tensorboard")
# The exit status of a session whose channel learner code closed or broke.
CHANNEL_LOST = 97
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE = 1, 4
_CLONE_NEWNS, _CLONE_NEWIPC, _CLONE_NEWUSER = 0x00020000, 0x08000000, 0x10000000
_MS_NOSUID, _MS_NODEV = 2, 4
# A file system of a session's own: far above what any exercise writes.
_SCRATCH = b"size=64m,nr_inodes=2000,mode=700"
_CAPABILITY_VERSION = 0x20080522
_FORK_TRIES = 20


_folders: dict[int, str] = {}


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def _restrict_files(readable: list[str], writable: list[str]) -> None:
    """Apply Landlock: from here on only these paths exist for this process and its children."""
    landlock = importlib.import_module("landlock")
    access = landlock.FSAccess
    rules = landlock.Ruleset()
    read = access.READ_FILE | access.READ_DIR | access.EXECUTE
    for path in readable:
        if os.path.isdir(path):
            rules.allow(path, rules=read)
        elif os.path.exists(path):
            rules.allow(path, rules=read & ~access.READ_DIR)
    for path in writable:
        everything = access.all() if os.path.isdir(path) else access.READ_FILE | access.WRITE_FILE
        rules.allow(path, rules=everything & ~access.EXECUTE)
    rules.apply()
    os.close(rules._fd)


def _preload(module: str) -> None:
    if module == "keras":
        if os.environ.get("KERAS_BACKEND") != "tensorflow":
            # Keras imports it when it can, to no use of the other backends.
            sys.modules["tensorflow"] = None  # type: ignore[assignment]
        blocked = [name for name in _NOT_FOR_KERAS if name not in sys.modules]
        for name in blocked:
            sys.modules[name] = None  # type: ignore[assignment]
        try:
            importlib.import_module("keras")
            importlib.import_module("dojo_worker.layers")
        finally:
            for name in blocked:
                sys.modules.pop(name, None)
    else:
        importlib.import_module(module)


def _limit(limits: dict[str, int]) -> None:
    for name, value in limits.items():
        # At its hard limit of processor time a process gets SIGKILL; just below it, a signal that says why.
        hard = value + 1 if name == "CPU" else value
        # A hard limit below ours stays; macOS refuses some of these.
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (value, hard))


def _become_session(channel_fd: int, output_fd: int, command: dict[str, Any]) -> None:
    """In the forked child: limit, confine, then serve requests until the judge hangs up."""
    from dojo_worker import seccomp, session

    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(output_fd, 1)
    os.dup2(output_fd, 2)
    os.close(null)
    os.close(output_fd)
    sys.stdout = open(1, "w", buffering=1, encoding="utf-8", errors="replace", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", buffering=1, encoding="utf-8", errors="replace", closefd=False)  # noqa: SIM115
    _stand_back()
    _settle(command["folder"], command["readable"], command["landlocked"])
    _limit(command["limits"])
    _drop_capabilities()
    # Last, because a change of capabilities undoes it.
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if seccomp.available():
        seccomp.install()
    session.Session(socket.socket(fileno=channel_fd)).serve()


def _stand_back() -> None:
    """Lead a session of its own: with autogroup the kernel then shares out by submission, not by thread."""
    with contextlib.suppress(OSError):  # it is the leader of one
        os.setsid()


def _settle(folder: str, readable: list[str], landlocked: bool) -> None:
    """Give the session a folder of its own; where Landlock is to be had, it can write nowhere else.

    In a mount namespace of its own, where one is to be had, the folder is a small file system that nobody
    else sees and that ends with the session. Else Landlock hides what other sessions write.
    """
    os.makedirs(folder, exist_ok=True)
    private = not landlocked and _own_namespaces() and _mount_scratch(folder)
    os.chdir(folder)
    for name in ("HOME", "TMPDIR", "MPLCONFIGDIR"):
        os.environ[name] = folder
    if _landlock_works():
        _restrict_files(["/"] if private else readable, [folder, os.devnull])


def _own_namespaces() -> bool:
    """Enter user, mount and IPC namespaces of this session's own; False where there are none to be had."""
    if sys.platform != "linux":
        return False
    user, group = os.getuid(), os.getgid()
    if ctypes.CDLL(None).unshare(_CLONE_NEWUSER | _CLONE_NEWNS | _CLONE_NEWIPC):
        return False
    _prctl(_PR_SET_DUMPABLE, 1)  # else /proc/self belongs to root
    try:
        for name, text in (
            ("setgroups", "deny"),
            ("uid_map", f"{user} {user} 1"),
            ("gid_map", f"{group} {group} 1"),
        ):
            with open(f"/proc/self/{name}", "w") as file:
                file.write(text)
    except OSError:
        return False
    finally:
        _prctl(_PR_SET_DUMPABLE, 0)
    return True


def _mount_scratch(folder: str) -> bool:
    flags = _MS_NOSUID | _MS_NODEV
    return not ctypes.CDLL(None).mount(b"scratch", os.fsencode(folder), b"tmpfs", flags, _SCRATCH)


def _drop_capabilities() -> None:
    """Give up what the administrator may do (modules, clocks, other users' files), for good."""
    if sys.platform == "linux":
        header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION, 0)
        if ctypes.CDLL(None, use_errno=True).capset(header, (ctypes.c_uint32 * 6)()):
            raise RuntimeError(f"capabilities could not be given up: {os.strerror(ctypes.get_errno())}")


@functools.cache
def _landlock_works() -> bool:
    try:
        return int(importlib.import_module("landlock").landlock_abi_version()) > 0
    except Exception:  # not installed, not Linux, not compiled in
        return False


def _fork(command: dict[str, Any], fds: list[int], control: socket.socket) -> dict[str, Any]:
    _landlock_works()  # imported here, once for all sessions
    pid = _forked()
    if pid:
        for fd in fds:
            os.close(fd)
        _folders[pid] = command["folder"]
        return {"pid": pid}
    code = 1
    try:
        control.close()
        _become_session(fds[0], fds[1], command)
        code = 0
    except OSError:  # the channel is gone: nobody else can close it
        code = CHANNEL_LOST
    finally:
        os._exit(code)


def _apart_from(scratch: str) -> list[str]:
    """List what there is outside a folder, as it stands before the first session."""
    found, path = [], "/"
    for name in [*scratch.strip("/").split("/"), ""]:
        with contextlib.suppress(OSError):
            found += [os.path.join(path, entry) for entry in os.listdir(path) if entry != name]
        path = os.path.join(path, name)
    return found


def _forked() -> int:
    """Fork; another session that is just being ended may have used up processes or memory."""
    for _ in range(_FORK_TRIES):
        with contextlib.suppress(BlockingIOError, MemoryError):
            return os.fork()
        time.sleep(0.1)
    return os.fork()


def remove(folder: str) -> None:
    """Remove a folder, however deep (no path may be longer than PATH_MAX) and whatever its modes."""
    numbers = itertools.count()
    found = True
    while found:
        found = False
        for entry in os.scandir(folder):
            if not entry.is_dir(follow_symlinks=False):
                os.unlink(entry.path)
                continue
            found = True
            os.chmod(entry.path, 0o700)
            for inner in os.scandir(entry.path):
                if inner.is_dir(follow_symlinks=False):
                    os.chmod(inner.path, 0o700)
                    os.rename(inner.path, os.path.join(folder, f".{next(numbers)}-{os.urandom(8).hex()}"))
                else:
                    os.unlink(inner.path)
            os.rmdir(entry.path)
    os.rmdir(folder)


def _reap(pid: int) -> dict[str, Any]:
    _, status = os.waitpid(pid, 0)
    with contextlib.suppress(OSError):
        remove(_folders.pop(pid))
    return {"status": os.waitstatus_to_exitcode(status)}


def _answer(
    command: dict[str, Any], fds: list[int], control: socket.socket, config: dict[str, Any]
) -> dict[str, Any]:
    start = time.perf_counter()
    if command["op"] == "preload":
        _preload(command["module"])
        gc.collect()
        gc.freeze()
        # From here on /proc gives nobody this process's memory; children inherit it.
        _prctl(_PR_SET_DUMPABLE, 0)
        return {"seconds": time.perf_counter() - start}
    if command["op"] == "fork":
        return _fork({**config, **command}, fds, control)
    if command["op"] == "reap":
        return _reap(command["pid"])
    raise ValueError(f"unknown command {command['op']!r}")


def _unbound_memory() -> None:
    """Shake off a judge's own limit: Keras needs more, and sessions get theirs."""
    with contextlib.suppress(ValueError, OSError):
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (hard, hard))


def main(control_fd: int, config: dict[str, Any]) -> None:
    """Serve the judge's commands on a socket until it is closed."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    _unbound_memory()
    if config["landlock"]:
        _restrict_files(config["landlock"]["readable"], config["landlock"]["writable"])
    importlib.import_module("dojo_worker.session")
    importlib.import_module("dojo_worker.seccomp")
    # Whoever is under Landlock may mount nothing.
    rules = config["landlock"]
    readable = rules["session"] if rules else _apart_from(config["scratch"])
    shared = {"readable": readable, "landlocked": bool(rules)}
    control = socket.socket(fileno=control_fd)
    control.sendall(b'{"ready": true}\n')
    while True:
        data, fds, _, _ = socket.recv_fds(control, 65536, 2)
        if not data:
            return
        try:
            answer = _answer(json.loads(data), fds, control, shared)
        except Exception as error:  # told to the judge, who reports it as the grader's fault
            answer = {"error": f"{type(error).__name__}: {error}"}
        control.sendall(json.dumps(answer).encode() + b"\n")
