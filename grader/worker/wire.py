"""The wire between judge and worker: length-prefixed MessagePack, arrays as raw bytes.

A frame is a 4-byte big-endian length and a MessagePack body. Extension types carry what MessagePack
lacks: arrays (1: header and raw bytes), handles of remote objects (2), values that cannot travel (3:
type name and short description), seeded generators (4) and callables that live in the judge (5). No
pickle. Everything decoded is checked: sizes, dtypes, shapes. Both sides use this module; what the
judge decodes with it is hostile.
"""

from __future__ import annotations

import math
import struct
from typing import Annotated, Any

import msgspec
import numpy as np

MAX_FRAME = 64 * 1024 * 1024
MAX_ITEMS = 50_000
MAX_DEPTH = 32
LENGTH = struct.Struct("!I")
_SIZES = {"int": (8, 16, 32, 64), "uint": (8, 16, 32, 64), "float": (16, 32, 64), "complex": (64, 128)}
DTYPES = frozenset(["bool", *(f"{kind}{size}" for kind, sizes in _SIZES.items() for size in sizes)])
MAX_DIMENSIONS = 16


class WireError(Exception):
    """What came over the wire is not a message of this protocol."""


Name = Annotated[str, msgspec.Meta(max_length=200)]
Text = Annotated[str, msgspec.Meta(max_length=10_000)]


class Handle(msgspec.Struct, frozen=True):
    """Names an object that lives in the worker (a layer, say)."""

    number: int


class Opaque(msgspec.Struct, frozen=True):
    """Stands for a value that cannot travel; says what it was."""

    type: Name
    text: Text = ""


class Generator(msgspec.Struct, frozen=True):
    """Becomes `numpy.random.default_rng(seed)` in the worker, one object per number."""

    seed: int
    number: int = 0


class Callback(msgspec.Struct, frozen=True):
    """Names a function that lives in the judge; the worker calls it over the wire."""

    number: int


class Line(msgspec.Struct, frozen=True):
    """One line of a learner's traceback."""

    file: Name
    number: int
    function: Name
    text: Text


class Problem(msgspec.Struct, frozen=True):
    """An exception that the learner's code raised; `bases` are its class's ancestors."""

    type: Name
    message: Text = ""
    lines: Annotated[list[Line], msgspec.Meta(max_length=20)] = []
    bases: Annotated[list[Name], msgspec.Meta(max_length=60)] = []


class Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the judge asks of the worker: an operation and its arguments."""

    op: str
    payload: dict[str, Any] = {}


class Reply(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What comes back: a value or a problem, and the names of arguments that were changed.

    With `callback` set it is no reply yet: the worker asks the judge to call function `callback` with
    `value` as its arguments.
    """

    value: Any = None
    problem: Problem | None = None
    mutated: Annotated[list[Name], msgspec.Meta(max_length=100)] = []
    callback: int | None = None


def _array_to_bytes(array: np.ndarray) -> bytes:
    if array.dtype.name not in DTYPES:
        raise WireError(f"arrays of dtype {array.dtype} do not travel")
    header = msgspec.msgpack.encode((array.dtype.name, array.shape))
    little = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
    return struct.pack("!H", len(header)) + header + little.tobytes()


def _array_from_bytes(data: memoryview) -> np.ndarray:
    if len(data) < 2:
        raise WireError("an array without a header")
    (size,) = struct.unpack("!H", data[:2])
    name, shape = msgspec.msgpack.decode(data[2 : 2 + size], type=tuple[str, list[int]])
    raw = data[2 + size :]
    if name not in DTYPES or len(shape) > MAX_DIMENSIONS or any(length < 0 for length in shape):
        raise WireError(f"an array of dtype {name[:40]!r} with {len(shape)} dimensions")
    dtype = np.dtype(name).newbyteorder("<")
    if math.prod(shape) * dtype.itemsize != len(raw):
        raise WireError(f"an array of shape {tuple(shape)} with {len(raw)} bytes")
    return np.frombuffer(raw, dtype=dtype).reshape(shape).astype(name)


_STRUCTS: dict[int, type] = {2: Handle, 3: Opaque, 4: Generator, 5: Callback}
_CODES = {kind: code for code, kind in _STRUCTS.items()}


class _Hidden:
    """Wraps our structs, which MessagePack would otherwise encode as plain maps."""

    def __init__(self, value: Any) -> None:
        self.value = value


def _hide(value: Any) -> Any:
    if type(value) in _CODES:
        return _Hidden(value)
    if isinstance(value, dict):
        return {str(key): _hide(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_hide(item) for item in value]
    return value


def _encode_hook(value: Any) -> Any:
    if isinstance(value, _Hidden):
        code = _CODES[type(value.value)]
        return msgspec.msgpack.Ext(code, msgspec.msgpack.encode(value.value))
    if isinstance(value, np.ndarray | np.generic):
        return msgspec.msgpack.Ext(1, _array_to_bytes(np.asarray(value)))
    raise WireError(f"a {type(value).__name__} does not travel")


def _decode_hook(code: int, data: memoryview) -> Any:
    if code == 1:
        return _array_from_bytes(data)
    if code in _STRUCTS:
        return msgspec.msgpack.decode(data, type=_STRUCTS[code])
    raise WireError(f"an unknown extension type {code}")


_encoder = msgspec.msgpack.Encoder(enc_hook=_encode_hook)
_requests = msgspec.msgpack.Decoder(Request, ext_hook=_decode_hook)
_replies = msgspec.msgpack.Decoder(Reply, ext_hook=_decode_hook)


def _frame(message: Request | Reply) -> bytes:
    body = _encoder.encode(message)
    if len(body) > MAX_FRAME:
        raise WireError(f"a message of {len(body)} bytes; at most {MAX_FRAME} travel")
    return LENGTH.pack(len(body)) + body


def encode_request(op: str, payload: dict[str, Any]) -> bytes:
    """Encode a request as one frame. Raises WireError for values that cannot travel."""
    return _frame(Request(op, _hide(payload)))


def encode_reply(reply: Reply) -> bytes:
    """Encode a reply as one frame. Raises WireError for values that cannot travel."""
    return _frame(
        Reply(
            value=_hide(reply.value),
            problem=reply.problem,
            mutated=reply.mutated,
            callback=reply.callback,
        )
    )


_FIXED = {0xC0: 0, 0xC2: 0, 0xC3: 0, 0xCA: 4, 0xCB: 8, 0xCC: 1, 0xCD: 2, 0xCE: 4, 0xCF: 8}
_FIXED |= {0xD0: 1, 0xD1: 2, 0xD2: 4, 0xD3: 8, 0xD4: 2, 0xD5: 3, 0xD6: 5, 0xD7: 9, 0xD8: 17}
# Code: bytes of the length, bytes after it that the length does not count (an extension's type).
_SIZED = {0xC4: (1, 0), 0xC5: (2, 0), 0xC6: (4, 0), 0xC7: (1, 1), 0xC8: (2, 1), 0xC9: (4, 1)}
_SIZED |= {0xD9: (1, 0), 0xDA: (2, 0), 0xDB: (4, 0)}
_CONTAINERS = {0xDC: (2, 1), 0xDD: (4, 1), 0xDE: (2, 2), 0xDF: (4, 2)}


def _item(body: bytes | bytearray, place: int) -> tuple[int, int]:
    """Return where the next item begins and how many items a container announces inside itself."""
    code = body[place]
    if code <= 0x7F or code >= 0xE0:
        return place + 1, 0
    if code <= 0x9F:
        return place + 1, (code & 0x0F) * (2 if code <= 0x8F else 1)
    if code <= 0xBF:
        return place + 1 + (code & 0x1F), 0
    if code in _FIXED:
        return place + 1 + _FIXED[code], 0
    width, extra = _SIZED.get(code) or _CONTAINERS.get(code) or (0, 0)
    length = int.from_bytes(body[place + 1 : place + 1 + width], "big")
    if code in _CONTAINERS:
        return place + 1 + width, length * extra
    return place + 1 + width + extra + length, 0


def _check_size(body: bytes | bytearray) -> None:
    """Refuse messages of many items or great depth before they are decoded: a byte can become 60."""
    place, items = 0, 0
    open_items = [1]
    while open_items and place < len(body):
        if not open_items[-1]:
            open_items.pop()
            continue
        open_items[-1] -= 1
        place, inside = _item(body, place)
        items += 1
        if inside:
            open_items.append(inside)
        if items > MAX_ITEMS or inside > MAX_ITEMS or len(open_items) > MAX_DEPTH:
            raise WireError("a message of too many items")


def _decode(decoder: Any, body: bytes | bytearray) -> Any:
    _check_size(body)
    try:
        return decoder.decode(body)
    except (msgspec.MsgspecError, ValueError, TypeError, OverflowError, RecursionError) as error:
        raise WireError(str(error)[:200]) from None


def decode_request(body: bytes | bytearray) -> Request:
    """Decode a request's body. Raises WireError."""
    return _decode(_requests, body)


def decode_reply(body: bytes | bytearray) -> Reply:
    """Decode a reply's body. Raises WireError, whatever the bytes."""
    return _decode(_replies, body)
