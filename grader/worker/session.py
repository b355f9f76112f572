"""One session: loads one submission's code and answers the judge's requests about it."""

from __future__ import annotations

import linecache
import os
import socket
import sys
import traceback
import types
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from . import wire

MAX_ITEMS = 10_000
MAX_TEXT = 10_000
MAX_BYTES = 32 * 1024 * 1024
MAX_LINES = 12


def portable(value: Any, depth: int = 0) -> Any:
    """Turn what learner code returned into what the wire carries; the rest becomes Opaque."""
    if value is None or type(value) in (bool, float):
        return value
    if type(value) is int and -(2**63) <= value < 2**63:
        return value
    if type(value) is str:
        return value[:MAX_TEXT]
    if isinstance(value, np.ndarray | np.generic):
        array = np.asarray(value)
        if array.nbytes > MAX_BYTES:
            return wire.Opaque("numpy.ndarray", f"of shape {array.shape}, too large to be compared")
        if array.dtype.name in wire.DTYPES:
            return array
        return wire.Opaque("numpy.ndarray", f"with dtype {array.dtype}")
    if isinstance(value, wire.Handle):
        return value
    if isinstance(value, list | tuple) and len(value) <= MAX_ITEMS and depth < 8:
        return [portable(item, depth + 1) for item in value]
    if isinstance(value, dict) and len(value) <= MAX_ITEMS and depth < 8:
        return {str(key)[:MAX_TEXT]: portable(item, depth + 1) for key, item in value.items()}
    kind = type(value)
    return wire.Opaque(f"{kind.__module__}.{kind.__qualname__}"[:200])


def _arrays(value: Any, name: str) -> Iterator[tuple[str, np.ndarray]]:
    if isinstance(value, np.ndarray):
        yield name, value
    elif isinstance(value, list | tuple):
        for number, item in enumerate(value):
            yield from _arrays(item, f"{name}[{number}]")
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _arrays(item, f"{name}[{key!r}]" if name else str(key))


class Session:
    """State of one grading: the submission's module, its objects, and the channel to the judge."""

    def __init__(self, channel: socket.socket) -> None:
        self.channel = channel
        self.module = types.ModuleType("submission")
        self.files: set[str] = set()
        self.objects: dict[int, Any] = {}
        self.generators: dict[int, np.random.Generator] = {}

    # The channel

    def _read(self, count: int) -> bytes | None:
        chunks = bytearray()
        while len(chunks) < count:
            chunk = self.channel.recv(min(count - len(chunks), 1 << 20))
            if not chunk:
                return None
            chunks += chunk
        return bytes(chunks)

    def _receive(self) -> wire.Request | None:
        header = self._read(wire.LENGTH.size)
        body = header and self._read(*wire.LENGTH.unpack(header))
        return wire.decode_request(body) if body else None

    def _send(self, reply: wire.Reply) -> None:
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except Exception:  # learner code may have closed or replaced it
                continue
        try:
            frame = wire.encode_reply(reply)
        except Exception as error:
            problem = wire.Problem("ValueError", f"the result cannot be sent: {error}"[:MAX_TEXT])
            frame = wire.encode_reply(wire.Reply(problem=problem))
        self.channel.sendall(frame)

    def serve(self) -> None:
        """Answer requests until the judge hangs up."""
        self.channel.sendall(b"!")  # carries this process's credentials to the judge
        while (request := self._receive()) is not None:
            self._send(self._answer(request))

    def _answer(self, request: wire.Request) -> wire.Reply:
        try:
            operation = self._operation(request.op)
            return operation(**request.payload)
        except BaseException as error:  # whatever learner code raises is a result, SystemExit too
            return wire.Reply(problem=self._problem(error))

    def _operation(self, name: str) -> Callable[..., wire.Reply]:
        own = getattr(self, f"do_{name}", None)
        if own is not None:
            return own
        from . import layers

        return getattr(layers, f"do_{name}").__get__(self)

    # Operations

    def do_load(self, parts: list[list[str]], forbidden: list[str]) -> wire.Reply:
        """Execute the submission's source, part by part (a notebook has many)."""
        packages = [name[:-1] for name in forbidden if name.endswith("*") and "." not in name]
        # What is there already, as TensorFlow is for Keras, imports more of itself when it works.
        sys.meta_path.insert(0, _Refused([name for name in packages if name not in sys.modules]))
        for name in forbidden:
            if "*" not in name:
                _poison(name)
        sys.modules["submission"] = self.module
        self.module.__file__ = parts[0][0]
        for file, text in parts:
            self.files.add(file)
            lines = text.splitlines(keepends=True)
            linecache.cache[file] = (len(text), None, lines, file)
        for file, text in parts:
            exec(compile(text, file, "exec", dont_inherit=True), self.module.__dict__)
        return wire.Reply()

    def do_call(self, name: str, args: list[Any], kwargs: dict[str, Any]) -> wire.Reply:
        """Call a function of the submission."""
        keras_side = sys.modules.get(f"{__package__}.layers")
        convert = portable if keras_side is None else keras_side.to_numpy
        return self.invoke(self.find(name), args, kwargs, convert=convert)

    def do_random_state(self) -> wire.Reply:
        """Return a checksum of NumPy's global generator: the judge sees whether it changes."""
        state: Any = np.random.get_state()
        _, key, position, *_ = state
        return wire.Reply(value=zlib.crc32(key.tobytes() + bytes(str(position), "ascii")))

    def do_collection(self, kind: str, items: list[Any]) -> wire.Reply:
        """Keep items as a set or a tuple, which do not travel; the reply is a handle."""
        return wire.Reply(value=self.keep({"set": set, "tuple": tuple}[kind](items)))

    # What operations share

    def find(self, name: str) -> Any:
        """Return a name of the submission. Raises NameError when it is not defined."""
        try:
            return getattr(self.module, name)
        except AttributeError:
            raise NameError(f"{name} is not defined in your code") from None

    def invoke(
        self,
        function: Callable[..., Any],
        args: list[Any],
        kwargs: dict[str, Any],
        convert: Callable[[Any], Any] = portable,
    ) -> wire.Reply:
        """Call with arguments from the wire; report the result and which arguments changed."""
        args, kwargs = self.receive(args), self.receive(kwargs)
        named = list(_arrays(args, "argument")) + list(_arrays(kwargs, ""))
        before = {name: array.tobytes() for name, array in named}
        result = convert(function(*args, **kwargs))
        # Looked up again: what stood in a list may have been replaced.
        after = {
            name: array.tobytes() for name, array in [*_arrays(args, "argument"), *_arrays(kwargs, "")]
        }
        mutated = [name for name, old in before.items() if after.get(name) != old]
        return wire.Reply(value=result, mutated=mutated)

    def receive(self, value: Any) -> Any:
        """Replace what stands for something of this process (handles, generators, callbacks)."""
        if isinstance(value, wire.Handle):
            return self.objects[value.number]
        if isinstance(value, wire.Generator):
            if value.number not in self.generators:
                self.generators[value.number] = np.random.default_rng(value.seed)
            return self.generators[value.number]
        if isinstance(value, wire.Callback):
            return self._callback(value.number)
        if isinstance(value, list):
            return [self.receive(item) for item in value]
        if isinstance(value, dict):
            return {key: self.receive(item) for key, item in value.items()}
        return value

    def _callback(self, number: int) -> Callable[..., Any]:
        def call_judge(*args: Any) -> Any:
            self._send(wire.Reply(value=portable(args), callback=number))
            request = self._receive()
            if request is None or request.op != "return":
                os._exit(1)
            return request.payload["value"]

        return call_judge

    def keep(self, value: Any) -> wire.Handle:
        """Keep an object for later requests and return its handle."""
        handle = wire.Handle(len(self.objects) + 1)
        self.objects[handle.number] = value
        return handle

    def _problem(self, error: BaseException) -> wire.Problem:
        lines = [
            wire.Line(frame.filename[:200], frame.lineno or 0, frame.name[:200], (frame.line or "")[:500])
            for frame in traceback.extract_tb(error.__traceback__)
            if frame.filename in self.files
        ]
        if isinstance(error, SyntaxError) and error.filename in self.files:
            text = (error.text or "").rstrip()
            lines.append(wire.Line((error.filename or "")[:200], error.lineno or 0, "", text[:500]))
            message = error.msg or ""
        else:
            try:
                message = str(error)
            except BaseException as second:  # a hostile __str__
                message = f"(its message raised {type(second).__name__})"
        kind = type(error)
        bases = [str(base.__name__)[:200] for base in kind.__mro__]
        return wire.Problem(str(kind.__name__)[:200], message[:MAX_TEXT], lines[-MAX_LINES:], bases[:50])


class _Refused:
    """Refuses to find packages that may not be used, however their names were hidden."""

    def __init__(self, packages: list[str]) -> None:
        self.packages = packages

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:
        """Raise ModuleNotFoundError for such a package, as libraries expect of what they only try."""
        if name.partition(".")[0] in self.packages:
            raise ModuleNotFoundError(f"{name} may not be used in this exercise", name=name)


def _forbidden(self: Any = None, *args: Any, **kwargs: Any) -> Any:
    raise PermissionError("this may not be used in this exercise")


def _refusal(dotted: str) -> Callable[..., None]:
    def refuse(self: Any, *args: Any, **kwargs: Any) -> None:
        raise PermissionError(f"{dotted} may not be used in this exercise")

    return refuse


def _poison(dotted: str) -> None:
    """Break a forbidden class or function itself, for uses that the source hides.

    In place, so that every other name of it and every subclass is broken as well; this process only.
    """
    *path, name = dotted.split(".")
    for module in (".".join(path), ".".join(path).replace("keras", "keras.src", 1)):
        found = getattr(sys.modules.get(module), name, None)
        if isinstance(found, type):
            found.__init__ = _refusal(dotted)  # type: ignore[misc]
        elif isinstance(found, types.FunctionType) and not found.__code__.co_freevars:
            found.__code__ = _forbidden.__code__
