"""Nothing but loopback: while the guard is up, any other connection or name look-up of this process raises `Escape`.

`up` also reaches every worker process that is started meanwhile, whatever its start method: the guard travels with the
process object, as an argument. And every sub-interpreter that is made meanwhile, whose audit hooks and modules are its
own: there it comes with the import of `socket`. Each attempt is noted in a file as well, so that work which counts or
swallows errors can't hide it.

It sees what goes through Python's `socket` (an audit hook) and uvloop; not C libraries with sockets of their own, and
not other programs. Kept small: every worker process imports it.
"""

from __future__ import annotations

import importlib.machinery
import os
import socket
import sys
from functools import wraps
from multiprocessing.process import BaseProcess

TYPE_CHECKING = False
if TYPE_CHECKING:  # `typing` itself is not imported for it
    from collections.abc import Callable, Sequence
    from types import ModuleType
    from typing import Any


class Escape(OSError):
    """A connection or look-up beyond loopback; clients take it for what it is, a failed connection."""


_INET = (socket.AF_INET, socket.AF_INET6)
_NAMES = frozenset({"", "localhost", "localhost.localdomain", "ip6-localhost", "ip6-loopback"})
_LOCAL_V6 = (bytes(15) + b"\1", bytes(16))
_MAPPED_V4 = bytes(10) + b"\xff\xff"

_notes: str | None = None
_installed = False


def up(notes: str) -> None:
    """Refuse what isn't loopback, here and in workers started from here; `notes` is a file to append to."""
    global _notes
    _notes = notes
    _install()


def down() -> None:
    """Allow everything again, in this process."""
    global _notes
    _notes = None


def noted(notes: str) -> list[str]:
    """What was refused so far, in every process, in order."""
    try:
        with open(notes, encoding="utf-8") as file:  # noqa: PTH123 (pathlib is not imported for it)
            return file.read().splitlines()
    except FileNotFoundError:
        return []


def is_local(host: object) -> bool:
    """Whether a host, by name or number, is this machine and nothing else."""
    if host is None:
        return True
    text = host.decode("latin-1") if isinstance(host, bytes | bytearray) else str(host)
    text = text.partition("%")[0].rstrip(".").lower()
    if text in _NAMES or text.endswith(".localhost"):
        return True
    if text.split() != [text]:  # `inet_aton` takes what stands before a space
        return False
    try:
        # `inet_aton` knows all the spellings that a look-up knows: 127.1 too
        packed = socket.inet_pton(socket.AF_INET6, text) if ":" in text else socket.inet_aton(text)
    except (OSError, ValueError):
        return False
    if packed.startswith(_MAPPED_V4):
        packed = packed[12:]
    return packed in _LOCAL_V6 or (len(packed) == 4 and packed[0] in (0, 127))


def _refuse(what: str, place: object) -> None:
    text = f"{what} {place}"
    try:
        file = os.open(_notes or os.devnull, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        os.write(file, f"{text} (process {os.getpid()})\n".encode(errors="replace"))
        os.close(file)
    except OSError:
        pass  # the session that would have read it is over
    raise Escape(f"laptime: {text} was refused: a replay must not reach anything but loopback")


def _check_address(endpoint: socket.socket, address: Any) -> None:
    if address is not None and endpoint.family in _INET and not is_local(address[0]):
        _refuse("a connection to", _place(address))


def _check_host(host: object) -> None:
    if not is_local(host):
        _refuse("a look-up of", host.decode("latin-1") if isinstance(host, bytes | bytearray) else host)


def _place(address: Sequence[object]) -> str:
    return f"{address[0]}:{address[1]}" if len(address) > 1 else str(address[0])


_CHECKS: dict[str, Callable[[tuple[Any, ...]], None]] = {
    "socket.connect": lambda arguments: _check_address(*arguments),
    "socket.sendto": lambda arguments: _check_address(*arguments),
    "socket.sendmsg": lambda arguments: _check_address(*arguments),
    "socket.getaddrinfo": lambda arguments: _check_host(arguments[0]),
    "socket.gethostbyname": lambda arguments: _check_host(arguments[0]),
    "socket.gethostbyaddr": lambda arguments: _check_host(arguments[0]),
    "socket.getnameinfo": lambda arguments: _check_host(arguments[0][0]),
}


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if _notes is not None and event in _CHECKS:
        _CHECKS[event](arguments)


def _install() -> None:
    """Once for each process; a forked one has it already. An audit hook can't be removed again, only be idle."""
    global _installed
    if _installed:
        return
    _installed = True
    sys.addaudithook(_audit)
    _patch_sockets()
    _patch_processes()
    for name, patch in _PATCHES.items():
        if name in sys.modules:
            patch(sys.modules[name])
        else:
            sys.meta_path.insert(0, _Finder(name, patch))


class _Carried:
    """What goes with a process object: unpickled in the new process, it puts the guard up there."""

    def __init__(self, notes: str) -> None:
        self._notes = notes

    def __reduce__(self) -> tuple[Callable[[str], _Carried], tuple[str]]:
        return _arrive, (self._notes,)


def _arrive(notes: str) -> _Carried:
    up(notes)
    return _Carried(notes)


def _patch_processes() -> None:
    made = BaseProcess.__init__

    def init(self: BaseProcess, *arguments: Any, **named: Any) -> None:
        if _notes is not None:  # first: what is unpickled after it is imported behind the guard
            self._laptime_guard = _Carried(_notes)  # type: ignore[attr-defined]
        made(self, *arguments, **named)

    BaseProcess.__init__ = init  # type: ignore[method-assign]


def _patch_sockets() -> None:
    """They look a name up by themselves, before their audit event: too late to refuse that."""
    for name, position in {"connect": 0, "connect_ex": 0, "sendto": -1, "sendmsg": 3}.items():
        setattr(socket.socket, name, _checked_first(getattr(socket.socket, name), position))


def _checked_first(method: Callable[..., Any], position: int) -> Callable[..., Any]:
    def call(self: socket.socket, *arguments: Any) -> Any:
        if _notes is not None and len(arguments) > position and isinstance(address := arguments[position], tuple):
            _check_address(self, address)
        return method(self, *arguments)

    return wraps(method)(call)


def _patch_uvloop(module: ModuleType) -> None:
    """libuv connects and looks names up by itself, unseen by Python's audit."""
    loop = module.Loop
    create_connection, create_datagram_endpoint = loop.create_connection, loop.create_datagram_endpoint
    getaddrinfo, getnameinfo, sock_connect = loop.getaddrinfo, loop.getnameinfo, loop.sock_connect

    def checked(host: object, port: object) -> None:
        if _notes is not None and not is_local(host):
            _refuse("a connection to", _place((host, port)))

    def connect(self: Any, factory: Any, host: Any = None, port: Any = None, **named: Any) -> Any:
        checked(host, port)
        return create_connection(self, factory, host, port, **named)

    def datagram(self: Any, factory: Any, local_addr: Any = None, remote_addr: Any = None, **named: Any) -> Any:
        checked(*(remote_addr or (None, None))[:2])
        return create_datagram_endpoint(self, factory, local_addr, remote_addr, **named)

    def look_up(self: Any, host: Any, port: Any, **named: Any) -> Any:
        if _notes is not None:
            _check_host(host)
        return getaddrinfo(self, host, port, **named)

    def name(self: Any, sockaddr: Any, flags: int = 0) -> Any:
        if _notes is not None:
            _check_host(sockaddr[0])
        return getnameinfo(self, sockaddr, flags)

    def connect_socket(self: Any, sock: Any, address: Any) -> Any:
        if _notes is not None:
            _check_address(sock, address)
        return sock_connect(self, sock, address)

    loop.create_connection, loop.create_datagram_endpoint = connect, datagram
    loop.getaddrinfo, loop.getnameinfo, loop.sock_connect = look_up, name, connect_socket


_IN_INTERPRETER = """
def _laptime_guard(here, notes):
    import importlib.machinery, importlib.util, sys

    class Finder:
        def find_spec(self, name, path=None, target=None):
            if name != "socket":
                return None
            sys.meta_path.remove(self)
            spec = importlib.machinery.PathFinder.find_spec(name, path, target)
            run = spec.loader.exec_module

            def exec_module(module):
                run(module)
                found = importlib.util.spec_from_file_location("laptime.guard", here)
                guard = sys.modules[found.name] = importlib.util.module_from_spec(found)
                found.loader.exec_module(guard)
                guard.up(notes)

            spec.loader.exec_module = exec_module
            return spec

    sys.meta_path.insert(0, Finder())
"""
"""What a new interpreter does first. It has no path to this package, and what never opens a socket should not pay."""


def _patch_interpreters(module: ModuleType) -> None:
    made = module.create

    def create() -> Any:
        interpreter = made()
        if _notes is not None:
            interpreter.exec(f"{_IN_INTERPRETER}\n_laptime_guard({__file__!r}, {_notes!r})\ndel _laptime_guard")
        return interpreter

    module.create = create  # type: ignore[attr-defined]


_PATCHES: dict[str, Callable[[ModuleType], None]] = {"uvloop": _patch_uvloop}
if sys.version_info >= (3, 14):
    _PATCHES["concurrent.interpreters"] = _patch_interpreters


class _Finder:
    """Patches a module as soon as it is imported."""

    def __init__(self, name: str, patch: Callable[[ModuleType], None]) -> None:
        self._name = name
        self._patch = patch

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != self._name:
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None:
            run = spec.loader.exec_module

            def exec_module(module: ModuleType) -> None:
                run(module)
                self._patch(module)
                sys.meta_path.remove(self)  # and not before: `find_spec` may only look whether it is there

            spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec
