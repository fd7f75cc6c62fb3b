"""The matcher table, most of it computed with Next's own matcher."""

import json
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest

from runtimes.matchers import MatcherError, matches, parse

TABLE = Path(__file__).parents[2].parent / "shared" / "conformance" / "matcher.json"
if not TABLE.exists():
    pytest.skip("the conformance suite is not beside the repository", allow_module_level=True)
ROWS = json.loads(TABLE.read_text())


class Request:
    def __init__(self, row):
        self.path, _, query = row["path"].partition("?")
        self.headers = {name.lower(): value for name, value in (row.get("headers") or {}).items()}
        self.cookies = row.get("cookies") or {}
        self.params = dict(parse_qsl(query, keep_blank_values=True))

    def header(self, name):
        return self.headers.get(name)

    def cookie(self, name):
        return self.cookies.get(name)

    def query(self, name):
        return self.params.get(name)

    def host(self):
        return urlsplit("//" + self.headers.get("host", "site.example")).hostname or ""


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['matcher']} {row.get('path')}")
def test_matcher_row(row):
    if row.get("error"):
        with pytest.raises(MatcherError):
            parse(row["matcher"])
    else:
        request = Request(row)
        assert matches(parse(row["matcher"]), request.path, request) is row["matches"]
