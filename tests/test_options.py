"""The command line's settings, read into one object."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest

from laptime.options import OptionError, Options, parse
from laptime.replay import Latency, LatencyError


def test_nothing_said_is_a_replay_at_the_suites_pace():
    """No latency is set, and no origin has a stand-in."""
    assert Options("replay", None, {}) == parse("replay", None, [])


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
    with pytest.raises(LatencyError, match=r"expected recorded, scale:0\.1, fixed:50ms or none"):
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
