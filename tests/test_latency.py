"""How a recorded pace becomes the moments at which bytes are due."""

from __future__ import annotations

from pathlib import Path

import pytest

from laptime.cassette import Cassette, CassetteError, Timing, load
from laptime.replay import Latency, LatencyError
from laptime.replay.latency import Due
from tests.support import Exchange, write_cassette

MS = 1_000_000  # nanoseconds
WHOLE = ((0, 1.0),)


def timing(*, connect: float = 30.0, chunks: tuple[tuple[float, int], ...] = ((0.0, 100),)) -> Timing:
    """A pass that waited for 200 ms."""
    return Timing(connect_ms=connect, ssl_ms=20.0, send_ms=1.0, wait_ms=200.0, receive_ms=9.0, chunks=chunks)


# Reading a mode


@pytest.mark.parametrize(
    ("text", "latency"),
    [
        ("recorded", Latency("recorded")),
        ("none", Latency("none")),
        ("scale:0.1", Latency("scale", 0.1)),
        ("scale:2", Latency("scale", 2.0)),
        ("scale:1e-3", Latency("scale", 0.001)),
        ("fixed:50ms", Latency("fixed", 50.0)),
        ("fixed:0.5ms", Latency("fixed", 0.5)),
        ("  recorded\n", Latency("recorded")),
    ],
)
def test_a_mode_is_read_as_it_is_written(text: str, latency: Latency) -> None:
    """Each mode of the command line is understood, blanks around it or not."""
    assert latency == Latency.parse(text)


@pytest.mark.parametrize(
    "text",
    [
        *("", "fast", "RECORDED", "recorded:2", "none:1"),
        *("scale", "scale:", "scale:0", "scale:-1", "scale:x", "scale:nan", "scale:inf", "scale:1e7", "scale:50ms"),
        *("fixed", "fixed:", "fixed:50", "fixed:ms", "fixed:0ms", "fixed:-5ms", "fixed:5s", "fixed:infms"),
    ],
)
def test_any_other_mode_is_refused(text: str) -> None:
    """What isn't a mode is quoted, with the modes that are."""
    with pytest.raises(LatencyError) as refused:
        Latency.parse(text)
    assert f"latency {text!r}: expected recorded, scale:0.1, fixed:50ms or none" == str(refused.value)


@pytest.mark.parametrize("text", ["recorded", "none", "scale:0.1", "scale:3", "fixed:50ms", "fixed:0.25ms"])
def test_a_mode_is_shown_as_it_is_written(text: str) -> None:
    """The text of a mode is what one writes on the command line for it."""
    assert text == str(Latency.parse(text))


@pytest.mark.parametrize("text", ["scale:0.12345678", "fixed:1234.5678ms", "fixed:1000000ms", "scale:0.0000001"])
def test_the_text_of_a_mode_is_all_of_it(text: str) -> None:
    """A mode read from the text of another is the same to the last digit: so it travels to the server."""
    assert Latency.parse(text) == Latency.parse(str(Latency.parse(text)))


# Due times


@pytest.mark.parametrize(
    ("mode", "due"),
    [
        ("recorded", Due(30 * MS, 200 * MS, ((0, 0.25), (10 * MS, 1.0)))),
        ("scale:0.1", Due(3 * MS, 20 * MS, ((0, 0.25), (1 * MS, 1.0)))),
        ("scale:2", Due(60 * MS, 400 * MS, ((0, 0.25), (20 * MS, 1.0)))),
        ("fixed:50ms", Due(0, 50 * MS, WHOLE)),
        ("fixed:0.5ms", Due(0, MS // 2, WHOLE)),
        ("none", Due(0, 0, WHOLE)),
    ],
)
def test_each_mode_says_when_the_parts_are_due(mode: str, due: Due) -> None:
    """Recorded times as they were or scaled; or one wait for all, no connecting, and the body in one piece."""
    assert due == Latency.parse(mode).due(timing(chunks=((0.0, 25), (10.0, 75))))


def test_a_pass_over_an_open_connection_charges_none() -> None:
    """Where no connection was made (-1 in the side-car), none is charged."""
    assert 0 == Latency.parse("recorded").due(timing(connect=-1.0)).connect_ns


@pytest.mark.parametrize(("mode", "wait_ns"), [("fixed:7ms", 7 * MS), ("none", 0)])
def test_what_was_never_timed_has_a_due_time_too(mode: str, wait_ns: int) -> None:
    """Without a side-car the modes that state their own wait apply."""
    assert Due(0, wait_ns, WHOLE) == Latency.parse(mode).due(None)


@pytest.mark.parametrize(
    ("chunks", "shares"),
    [
        ((), WHOLE),
        (((0.0, 0),), WHOLE),
        (((3.0, 80),), ((3 * MS, 1.0),)),
        (((0.0, 10), (1.0, 30), (2.5, 60)), ((0, 0.1), (MS, 0.4), (2_500_000, 1.0))),
        (((0.0, 50), (1.0, 0), (1.0, 50)), ((0, 0.5), (MS, 0.5), (MS, 1.0))),
    ],
    ids=["no body", "an empty piece", "one piece", "three pieces", "an empty piece within"],
)
def test_chunks_become_shares_of_the_body(
    chunks: tuple[tuple[float, int], ...], shares: tuple[tuple[int, float], ...]
) -> None:
    """Each piece ends at its share of the bytes recorded so far, and the last at all of them."""
    assert shares == Latency.parse("recorded").due(timing(chunks=chunks)).chunks


# Modes that need a side-car


def refusal(latency: Latency, cassette: Cassette) -> str:
    """What is said against playing the cassette so; nothing where it can be."""
    try:
        latency.refuse_untimed(cassette)
    except CassetteError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("mode", ["recorded", "scale:0.5"])
def test_the_recorded_pace_needs_a_side_car(tmp_path: Path, mode: str) -> None:
    """A cassette that was never timed is refused by the modes that play its times, with two ways out."""
    cassette = load(write_cassette(tmp_path / "quotes.yaml", Exchange(), timed=False))
    said = refusal(Latency.parse(mode), cassette)
    parts = [f"{cassette.path}: no side-car quotes.timings.json", "--http=record -k quotes", "--latency fixed:50ms"]
    assert parts == [part for part in parts if part in said]


@pytest.mark.parametrize("mode", ["fixed:5ms", "none"])
def test_a_stated_pace_needs_none(tmp_path: Path, mode: str) -> None:
    """A cassette that was never timed plays in the modes that state their own wait."""
    cassette = load(write_cassette(tmp_path / "quotes.yaml", Exchange(), timed=False))
    assert "" == refusal(Latency.parse(mode), cassette)


@pytest.mark.parametrize("mode", ["recorded", "scale:0.5", "fixed:5ms", "none"])
def test_a_timed_cassette_plays_in_every_mode(tmp_path: Path, mode: str) -> None:
    """With a side-car no mode refuses."""
    assert "" == refusal(Latency.parse(mode), load(write_cassette(tmp_path / "quotes.yaml", Exchange())))
