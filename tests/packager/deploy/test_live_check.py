import http.server
import socket
import threading
from dataclasses import dataclass, field

import pytest

from packager.deploy.live_check import Checked, check, require
from packager.errors import ProjectError, ToolError
from packager.project import load


@dataclass
class Site:
    """A live site: `statuses` are those of each path, one request after another, the last one for good."""

    statuses: dict[str, list[int]] = field(default_factory=dict)
    port: int = 0

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"


@pytest.fixture
def site(monkeypatch):
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    found = Site()
    lock = threading.Lock()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            with lock:
                left = found.statuses[self.path]
                status = left.pop(0) if len(left) > 1 else left[0]
            body = b"" if status == 204 else f"it is {status}".encode()
            self.send_response(status)
            if 300 <= status < 400:
                self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        found.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield found
        server.shutdown()
        thread.join()


def test_success_and_redirects_are_good(site):
    site.statuses |= {"/api/hello": [200], "/api/old": [308]}
    found = check(site.url, ["/api/hello", "/api/old"])
    assert [(row.path, row.status, row.is_good, row.attempts) for row in found] == [
        ("/api/hello", 200, True, 1),
        ("/api/old", 308, True, 1),
    ]
    require(found, "packager rollback")


def test_a_route_that_is_not_there_yet_is_asked_again(site):
    site.statuses["/api/hello"] = [403, 502, 200]
    seen = []
    (found,) = check(site.url, ["/api/hello"], seen.append)
    assert (found.status, found.attempts) == (200, 3)
    assert seen == [found]


def test_a_route_that_fails_is_told_with_its_words_and_the_way_back(site):
    site.statuses |= {"/api/hello": [500], "/api/ok": [204]}
    found = check(site.url, ["/api/hello", "/api/ok"], patience=0)
    with pytest.raises(ToolError, match=r"1 of 2 .* /api/hello answered 500: it is 500") as raised:
        require(found, "packager rollback . --stage prod")
    assert "packager rollback . --stage prod" in raised.value.hint
    assert raised.value.exit_status == 3


def test_the_base_path_comes_first_and_a_query_is_kept(site):
    site.statuses["/shop/api/hello?x=1"] = [200]
    assert check(f"{site.url}/", ["/api/hello?x=1"], base_path="/shop")[0].is_good


def test_a_site_that_does_not_answer_at_all():
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        (found,) = check(f"http://127.0.0.1:{nobody.getsockname()[1]}", ["/"], patience=0)
    assert found.status is None
    assert found.said
    with pytest.raises(ToolError, match="answered nothing"):
        require([found], "packager rollback")


def test_an_emulator_is_asked_in_place_of_the_names_of_aws(site, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", site.url)
    site.statuses["/_aws/execute-api/ab12/$default/api/hello"] = [200]
    assert check("https://ab12.execute-api.eu-central-1.amazonaws.com", ["/api/hello"], patience=0)[0].is_good


def test_nothing_is_asked_where_nothing_is_named():
    assert check("https://nowhere.invalid", []) == ()


def test_good_is_what_succeeds_or_leads_on():
    assert [Checked("/", status, 1.0).is_good for status in (200, 204, 302, 404, 500, None)] == [
        True,
        True,
        True,
        False,
        False,
        False,
    ]


def test_the_routes_come_from_the_settings(write):
    text = '[tool.packager.deploy]\nsmoke = ["/api/hello", "/api/users/7?full=1"]\n'
    files = {"app/route.py": "", "pyproject.toml": text}
    assert load(write(files)).settings.smoke == ("/api/hello", "/api/users/7?full=1")
    assert load(write({**files, "pyproject.toml": ""})).settings.smoke == ()


@pytest.mark.parametrize("path", ["api/hello", "https://x.example/", "//x", "/api/[id]", "/a b", "/a#b", ""])
def test_what_cannot_be_requested_is_refused_with_its_line(write, path):
    text = f'[tool.packager.deploy]\nsmoke = ["{path}"]\n'
    with pytest.raises(ProjectError, match="no path of a URL") as raised:
        load(write({"app/route.py": "", "pyproject.toml": text}))
    assert raised.value.place == "pyproject.toml:2"


def test_a_stage_on_an_emulator_is_asked_at_its_own_url(shop):
    shop.deploy(api="one")
    outputs = shop.cloud.outputs("shop-dev-api")
    (found,) = check(outputs["ApiUrl"], ["/api/users/7"], patience=5)
    assert found.is_good, found
