"""A package that has nothing to do with this repository: its own client, its own recording, its own settings.

It is made here, and tested by pytest in a process of its own, as somebody would who has just installed laptime.
"""

from __future__ import annotations

import json
import re
from hashlib import sha256
from pathlib import Path
from textwrap import dedent

import pytest

from tests.support import Exchange, write_cassette
from tests.support.sessions import OK, Ended, benchmarks, write
from tests.support.sessions import pytest as pytest_in

API, FILES = "https://api.example", "https://files.example"

PYPROJECT = """
    [project]
    name = "parcels"
    version = "1.0"

    [tool.laptime]
    secret_headers = ["x-parcels-session"]
    secret_fields = ["customer"]

    [tool.laptime.gate]
    slower = 1.1

    [tool.pytest.ini_options]
    pythonpath = ["src"]
    testpaths = ["tests"]
    addopts = ["--strict-markers", "--strict-config"]
"""

CLIENT = '''
    """Where are my parcels?"""

    import json
    import re
    import time
    import urllib.error
    import urllib.request
    from concurrent.futures import ThreadPoolExecutor


    class Parcels:
        """A client of the API: it asks again where it is told to, and turns pages."""

        def __init__(self, base_url: str, tries: int = 3) -> None:
            self.base_url = base_url
            self.tries = tries

        def _get(self, url: str):
            for attempt in range(self.tries):
                request = urllib.request.Request(url, headers={"X-Parcels-Session": "s3cr3t"})
                try:
                    with urllib.request.urlopen(request, timeout=60) as answer:
                        return answer.read(), answer.headers
                except urllib.error.HTTPError as error:
                    with error:
                        if error.code != 503 or attempt == self.tries - 1:
                            raise
                        time.sleep(float(error.headers["Retry-After"]))

        def all(self) -> list[dict]:
            """Every parcel, page after page."""
            url, found = f"{self.base_url}/parcels?customer=7", []
            while url:
                body, headers = self._get(url)
                found += json.loads(body)
                following = re.search(r'<([^>]*)>; rel="?next"?', headers.get("Link", ""))
                url = following and following[1]
            return found

        def label(self, parcel: dict) -> bytes:
            """What is printed on it; it lies on another host."""
            return self._get(f"{self.base_url}/labels/{parcel['id']}")[0]

        def labels(self, workers: int) -> list[bytes]:
            """Those of all."""
            with ThreadPoolExecutor(workers) as pool:
                return list(pool.map(self.label, self.all()))
'''

TESTS = """
    from collections import Counter
    from contextlib import contextmanager
    from functools import partial

    import pytest

    from parcels import Parcels

    LABELS = [b"label 1", b"label 2", b"label 3"]
    ASKED = Counter({
        "GET /parcels?customer=REDACTED": 2,
        "GET /parcels?page=2": 1,
        **{f"GET /labels/{number}": 1 for number in (1, 2, 3)},
        **{f"GET /{number}.txt": 1 for number in (1, 2, 3)},
    })


    @pytest.fixture
    def stage(replay, cassettes):
        return replay(cassettes / "api.yaml", latency="fixed:5ms")


    def test_all_pages_are_turned(replay):
        parcels = Parcels(replay("cassettes/api.yaml", latency="fixed:5ms").url("https://api.example"))
        assert [1, 2, 3] == [parcel["id"] for parcel in parcels.all()]


    def test_a_label_comes_from_the_other_host(replay):
        stage = replay("cassettes/api.yaml", latency="fixed:5ms")
        parcels = Parcels(stage.url("https://api.example"))
        assert LABELS[0] == parcels.label({"id": 1})
        assert ["https://api.example", "https://files.example"] == [visit.origin for visit in stage.take_log()]


    def test_who_does_not_ask_again_is_told(replay):
        parcels = Parcels(replay("cassettes/api.yaml", latency="fixed:5ms").url("https://api.example"), tries=1)
        with pytest.raises(OSError, match="503"):
            parcels.all()


    def test_who_asks_again_is_answered(replay):
        parcels = Parcels(replay("cassettes/api.yaml", latency="fixed:5ms").url("https://api.example"), tries=2)
        assert 3 == len(parcels.all())


    @pytest.mark.parametrize("workers", [1, 3])
    def test_labels(lap, stage, workers):
        @contextmanager
        def opened():
            yield partial(Parcels(stage.url("https://api.example")).labels, workers)

        def check(labels):
            assert LABELS == labels

        lap(opened, check, stage=stage, requests=ASKED, rounds=(2, 2, 0.0), group="labels", workers=workers)
"""

CONFTEST = """
    from pathlib import Path

    import pytest

    @pytest.fixture(scope="session")
    def cassettes():
        return Path(__file__).parents[1] / "cassettes"
"""


def exchanges() -> list[Exchange]:
    """The first page is there at the second attempt only; labels lie on another host."""
    first, second = f"{API}/parcels?customer=REDACTED", f"{API}/parcels?page=2"
    following = {"Link": [f'<{first}>; rel="first", <{second}>; rel="next"'], "Content-Type": ["application/json"]}
    parcels = [{"id": number, "state": "on its way"} for number in (1, 2, 3)]
    made = [
        Exchange(first, status=503, reason="Service Unavailable", headers={"Retry-After": ["0"]}, body="busy"),
        Exchange(first, headers=following, body=json.dumps(parcels[:2])),
        Exchange(second, headers={"Content-Type": ["application/json"]}, body=json.dumps(parcels[2:])),
    ]
    for number in (1, 2, 3):
        moved = {"Location": [f"{FILES}/{number}.txt"]}
        made.append(Exchange(f"{API}/labels/{number}", status=302, reason="Found", headers=moved, body=""))
        made.append(Exchange(f"{FILES}/{number}.txt", body=f"label {number}"))
    return made


@pytest.fixture(scope="module")
def package(tmp_path_factory) -> Path:
    """The package, with what it recorded."""
    root = tmp_path_factory.mktemp("parcels")
    (root / "pyproject.toml").write_text(dedent(PYPROJECT))
    for directory in ("src/parcels", "tests", "cassettes"):
        (root / directory).mkdir(parents=True)
    write(root / "src" / "parcels", __init__=CLIENT)
    write(root / "tests", conftest=CONFTEST, test_parcels=TESTS)
    write_cassette(root / "cassettes" / "api.yaml", *exchanges(), timed=False)
    return root


@pytest.fixture(scope="module")
def ran(package: Path) -> Ended:
    """How its tests ended."""
    return pytest_in(package, "--benchmark-json=out.json", "--har=out.har")


def test_its_tests_pass(ran):
    """Plain ones and timed ones, whatever they retry, follow and turn."""
    assert OK == ran.code, ran.text
    assert "6 passed" in ran.text


def test_its_figures_are_stored(package, ran):
    """With the digest of its own recording, its pace, and what was asked in each round."""
    saved = benchmarks(package / "out.json")
    assert {"test_labels[1]", "test_labels[3]"} == set(saved)
    digest = sha256((package / "cassettes" / "api.yaml").read_bytes()).hexdigest()
    for workers in (1, 3):
        info = saved[f"test_labels[{workers}]"]["extra_info"]
        found = (info["cassette_sha256"], info["latency"], info["workers"], info["rounds"]["requests"])
        assert (digest, "fixed:5ms", workers, [9, 9]) == found


def test_its_requests_are_logged(package, ran):
    """Under the addresses that were recorded, of both origins; what it calls secret is not in it."""
    text = (package / "out.har").read_text()
    origins = {re.match("https://[^/]*", entry["request"]["url"])[0] for entry in json.loads(text)["log"]["entries"]}
    assert {API, FILES} == origins
    assert "s3cr3t" not in text


@pytest.mark.slow
def test_its_tests_pass_in_several_processes_too(package):
    """Where nothing is timed, all answers are still checked."""
    ended = pytest_in(package, "-n", "2")
    assert OK == ended.code, ended.text
    assert "6 passed" in ended.text
    assert "nothing was timed (benchmarks are disabled); 2 answers are right" in ended.text
