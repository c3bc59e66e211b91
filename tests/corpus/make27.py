"""Record as make.py does, but with Python 2.7, whose cassettes carry tags of their own. See make.py for the origin.

    python2.7 make27.py CLIENT FILE [PATH ...]

CLIENT is requests or urllib3. FILE ends in .yaml or .json, which names the serializer. The PATHs are left out.
"""

from __future__ import print_function, unicode_literals

import base64
import io
import json
import os
import sys
from collections import OrderedDict

import vcr

ORIGIN = "http://127.0.0.1:8902"
JSON = {"Content-Type": "application/json"}
BYTES = {"Content-Type": "application/octet-stream"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
STEPS = [("GET", path, None, {}) for path in ("/json", "/gzip", "/chunked", "/deflate", "/binary", "/empty")] + [
    ("HEAD", "/json", None, {}),
    ("GET", "/moved", None, {}),
    ("GET", "/again", None, {}),
    ("GET", "/again", None, {}),
    ("POST", "/echo", '{"boat": "Mowe", "berth": 4}', JSON),
    ("POST", "/echo", '{"boat": "M\u00f6we", "berth": 5}'.encode("utf-8"), JSON),
    ("POST", "/form", b"boat=M%C3%B6we&note=two+words", FORM),
    ("POST", "/upload", b"\x00\xff\x80heron", BYTES),
    ("GET", "/query?b=2&a=1", None, {}),
    ("GET", "/missing", None, {}),
    ("GET", "/bare", None, {}),
    ("GET", "/cookies", None, {}),
    ("GET", "/headers", None, {}),
]


def with_requests():
    import requests

    session = requests.Session()

    def fetch(method, target, body, headers):
        answer = session.request(method, ORIGIN + target, data=body, headers=headers, allow_redirects=False)
        return answer.status_code, answer.headers.get("Location"), answer.content

    return fetch


def with_urllib3():
    import urllib3

    pool = urllib3.PoolManager()

    def fetch(method, target, body, headers):
        native = {str(name): str(value) for name, value in headers.items()}
        native[str("Accept-Encoding")] = str("gzip, deflate")
        answer = pool.urlopen(str(method), str(ORIGIN + target), body=body, headers=native, redirect=False)
        return answer.status, answer.headers.get("Location"), answer.data

    return fetch


def main(client, file, *left_out):
    if os.path.exists(file):
        os.remove(file)
    seen = []
    with vcr.VCR().use_cassette(file, serializer="json" if file.endswith(".json") else "yaml") as cassette:
        fetch = {"requests": with_requests, "urllib3": with_urllib3}[client]()
        for method, target, body, headers in STEPS:
            if target in left_out:
                continue
            status, location, content = fetch(method, target, body, headers)
            fields = [
                ("method", method),
                ("target", target),
                ("request_body", json.loads(content)["base64"] if method == "POST" else None),
                ("status", status),
                ("body", base64.b64encode(content).decode("ascii")),
                ("location", location),
            ]
            seen.append(OrderedDict(sorted(fields)))
        assert len(cassette) == len(seen)
    beside = os.path.join(os.path.dirname(os.path.abspath(file)), "expected.json")
    expected = {}
    if os.path.exists(beside):
        with io.open(beside, encoding="ascii") as stream:
            expected = json.load(stream)
    expected[os.path.basename(file)] = seen
    with io.open(beside, "w", encoding="ascii") as stream:
        dumped = json.dumps(expected, indent=1, sort_keys=True, separators=(",", ": "))
        stream.write(dumped + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
