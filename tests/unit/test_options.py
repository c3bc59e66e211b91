"""The command line's settings, read into one object."""

from __future__ import annotations

import os
from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest

from laptime.options import OptionError, Options, parse
from laptime.redact import HEADERS, Secrets
from laptime.replay import Latency, LatencyError


def test_nothing_said_is_a_replay_at_the_suites_pace():
    """No latency is set, nothing varies, no origin has a stand-in, no log is written; secrets are the usual ones."""
    assert Options() == parse("replay", None, [])
    assert Options("replay", None, None, {}, None, False, Secrets()) == Options()


@pytest.mark.parametrize(
    ("text", "latency"),
    [
        ("recorded", Latency("recorded")),
        ("scale:0.1", Latency("scale", 0.1)),
        ("fixed:50ms", Latency("fixed", 50.0)),
        ("none", Latency("none")),
    ],
)
def test_a_latency_is_read_once(text, latency):
    """Nothing below reads the text again."""
    assert latency == parse("replay", text, []).latency


@pytest.mark.parametrize("text", ["fast", "scale:", "scale:0", "scale:-1", "fixed:50", "fixed:nanms", ""])
def test_a_latency_that_cannot_be_read_is_refused(text):
    """With those that can be; an empty one (of a variable that isn't set, say) is none of them."""
    with pytest.raises(OptionError, match=r"expected recorded, scale:0\.1, fixed:50ms or none"):
        parse("replay", text, [])


@pytest.mark.parametrize(
    ("texts", "origins"),
    [
        (["shop=http://127.0.0.1:8901"], {"shop": "http://127.0.0.1:8901"}),
        (["shop=https://shop.test/"], {"shop": "https://shop.test"}),
        (["shop=http://a.test/?x=y"], {"shop": "http://a.test/?x=y"}),
        (["a=http://a.test", "b=http://b.test"], {"a": "http://a.test", "b": "http://b.test"}),
        (["a=http://a.test", "a=http://b.test"], {"a": "http://b.test"}),
    ],
    ids=["one", "trailing slash", "equals sign in the URL", "two", "the last one counts"],
)
def test_an_origin_is_a_name_and_a_url(texts, origins):
    """The URL stands without a slash at its end, as paths begin with one."""
    assert origins == parse("live", None, texts).origins


@pytest.mark.parametrize("text", ["", "shop", "shop=", "=http://a.test", "shop=a.test", "shop=ftp://a.test"])
def test_an_origin_that_cannot_be_read_is_refused(text):
    """It is quoted, with what was expected."""
    with pytest.raises(OptionError) as refused:
        parse("live", None, [text])
    assert f"--origin {text!r}: expected NAME=URL, as in hn_items=http://127.0.0.1:8901" == str(refused.value)


def test_options_do_not_change():
    """What was read once holds for the session."""
    with pytest.raises(FrozenInstanceError):
        parse("replay", None, []).http = "live"


@pytest.mark.parametrize(
    ("latency", "jitter", "suites", "played"),
    [
        (None, None, "recorded", "recorded"),
        (None, None, "fixed:5ms", "fixed:5ms"),
        ("none", None, "recorded", "none"),
        (None, 7, "recorded", "recorded+jitter:7"),
        (None, 0, "scale:0.1", "scale:0.1+jitter:0"),
        ("fixed:5ms", -1, "recorded", "fixed:5ms+jitter:-1"),
        ("recorded+jitter:3", None, "none", "recorded+jitter:3"),
        ("recorded+jitter:3", 7, "none", "recorded+jitter:7"),
        (None, None, "recorded+jitter:3", "recorded+jitter:3"),
        (None, 7, "recorded+jitter:3", "recorded+jitter:7"),
    ],
)
def test_the_command_line_goes_before_the_suite(latency, jitter, suites, played):
    """In the pace, and in the seed of what varies it."""
    assert played == str(parse("replay", latency, [], jitter=jitter).pace(suites))


def test_where_there_are_no_waits_nothing_can_vary():
    """As with latency none, the suite's or the command line's."""
    refusal = "jitter: there are no waits to vary with latency none"
    with pytest.raises(OptionError, match=refusal):
        parse("replay", "none", [], jitter=7)
    with pytest.raises(LatencyError, match=refusal):
        parse("replay", None, [], jitter=7).pace("none")


def test_a_log_is_written_where_it_was_asked_for(tmp_path, monkeypatch):
    """Wherever the session goes meanwhile; over what is there."""
    (tmp_path / "old.har").write_text("old")
    (tmp_path / "logs").mkdir()
    monkeypatch.chdir(tmp_path)
    places = ["new.har", "old.har", "logs/new.har", str(tmp_path / "new.har")]
    expected = [tmp_path / place for place in places]
    assert expected == [parse("replay", None, [], har=place).har for place in places]
    assert "old" == (tmp_path / "old.har").read_text()


@pytest.mark.parametrize("place", ["missing/out.har", ".", "", "logs", "file/out.har", "pipe", "to-pipe"])
def test_a_log_that_could_not_be_written_is_refused(tmp_path, monkeypatch, place):
    """Where there is no directory, or something that is no file: it would be replaced, as /dev/stdout would."""
    (tmp_path / "logs").mkdir()
    (tmp_path / "file").touch()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "to-pipe").symlink_to("pipe")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(OptionError) as refused:
        parse("replay", None, [], har=place)
    assert f"--har {Path(place)}: expected a file in a directory that exists" == str(refused.value)


def test_a_log_behind_a_link_is_written_there(tmp_path):
    """The link stays one."""
    (tmp_path / "logs").mkdir()
    (tmp_path / "out.har").symlink_to("logs/out.har")
    assert (tmp_path / "logs" / "out.har").resolve() == parse("replay", None, [], har=str(tmp_path / "out.har")).har


def test_what_a_recording_leaves_out_is_as_the_project_says():
    """The options carry it."""
    secrets = Secrets(HEADERS | {"x-shop-session"})
    assert secrets == parse("record", None, [], secrets=secrets).secrets
