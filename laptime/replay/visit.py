"""What the server notes of each request: arrival, first byte, completion."""

from __future__ import annotations

from typing import NamedTuple


class Visit(NamedTuple):
    """One request, as the server saw it. Times are those of `time.monotonic_ns`, which one machine's processes share.

    origin      the recorded origin that was asked
    request     ``GET /path``
    interaction the index of the one that answered; -1 where none did (599, 429)
    status      of the answer
    connection  the number of the connection, from 0
    opened_ns   when the connection was accepted; -1 but for its first request
    begun_ns    when the first byte of the request came
    read_ns     when its last byte had come
    due_ns      when the answer's head was due
    first_ns    when the head was handed to the system
    done_ns     when the last byte was
    sent_bytes  of the answer, its head included
    port        the client's; 0 where it isn't known
    """

    origin: str
    request: str
    interaction: int
    status: int
    connection: int
    opened_ns: int
    begun_ns: int
    read_ns: int
    due_ns: int
    first_ns: int
    done_ns: int
    sent_bytes: int
    port: int = 0
