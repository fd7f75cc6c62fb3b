import json
import subprocess
import sys
import time

import pytest
from itsdangerous import TimestampSigner, URLSafeTimedSerializer

ROUTE = """
from runtimes import Response

revalidate = 60

def GET(request):
    return dict(request.state.session)

async def POST(request):
    request.state.session.update(await request.json())
    return {}

def DELETE(request):
    request.state.session.clear()
    return {}

async def PUT(request):
    request.state.session = await request.json()
    return Response.json({}, headers={"Cache-Control": "s-maxage=60"})

def PATCH(request):
    request.state.session["list"].append(1)
    raise ValueError("boom")
"""


@pytest.fixture
def ask(guarded, monkeypatch):
    """Requests to one app; the cookie is kept as a browser would keep it."""
    monkeypatch.setenv("SESSION_KEY", "a-key-of-thirty-two-characters-ab")
    client = guarded(
        "session('SESSION_KEY')",
        files={"app/api/x/route.py": ROUTE},
        settings={"app/api/x/route.py": {"max_body_size": 100_000}},
    )
    jar = {}

    def ask(method, data=None, cookie=None):
        pair = cookie or jar.get("pair")
        answer = client(method, "/api/x", [("cookie", pair)] if pair else [], json.dumps(data).encode())
        if header := answer.header("set-cookie"):
            jar["pair"] = header.partition(";")[0]
        return answer

    ask.jar = jar
    return ask


def test_what_is_put_into_the_session_is_there_at_the_next_request(ask):
    answer = ask("POST", {"user": "ada", "n": [1, "ü"]})
    pair, *attributes = answer.header("set-cookie").split("; ")
    assert pair.startswith("session=ey")
    assert [name for name in attributes if not name.startswith("Expires=")] == [
        "Path=/",
        "Max-Age=1209600",
        "Secure",
        "HttpOnly",
        "SameSite=lax",
    ]
    answer = ask("GET")
    assert json.loads(answer.body) == {"user": "ada", "n": [1, "ü"]}
    assert (answer.header("set-cookie"), answer.header("vary")) == (None, "Cookie")


def test_a_session_that_is_not_used_leaves_no_trace(ask):
    answer = ask("GET")
    assert (answer.body, answer.header("set-cookie"), answer.header("vary")) == (b"{}", None, None)


def test_an_emptied_session_deletes_the_cookie(ask):
    ask("POST", {"user": "ada"})
    assert ask("DELETE").header("set-cookie") == (
        "session=; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0; Secure; HttpOnly; SameSite=lax"
    )


def test_a_change_deep_inside_is_kept_even_if_the_handler_fails(ask):
    ask("POST", {"list": []})
    assert ask("PATCH").status == 500
    assert json.loads(ask("GET").body) == {"list": [1]}


def test_a_new_dict_replaces_the_session_and_no_cdn_keeps_the_response(ask):
    ask("POST", {"user": "ada"})
    assert ask("PUT", {"user": "alan"}).header("cache-control") == "private, no-cache"
    assert json.loads(ask("GET").body) == {"user": "alan"}


def test_a_cookie_that_was_tampered_with_is_an_empty_session(ask):
    ask("POST", {"user": "ada"})
    pair = ask.jar["pair"]
    payload, rest = pair.split(".", 1)
    forged = URLSafeTimedSerializer("another key").dumps({"user": "root"})
    for cookie in (
        pair[:-1],
        payload[:-1] + "A." + rest,
        "session=",
        "session=x",
        f"session={forged}",
        f"session={'.' * 99}",
    ):
        assert ask("GET", cookie=cookie).body == b"{}", cookie


def test_a_cookie_older_than_max_age_is_an_empty_session(guarded, monkeypatch):
    monkeypatch.setenv("SESSION_KEY", "k" * 32)
    client = guarded("session('SESSION_KEY', max_age=60)", files={"app/api/x/route.py": ROUTE})
    pair = client("POST", "/api/x", body=b'{"user": "ada"}').header("set-cookie").partition(";")[0]
    assert client("GET", "/api/x", [("cookie", pair)]).body == b'{"user":"ada"}'
    monkeypatch.setattr(TimestampSigner, "get_timestamp", lambda self: int(time.time()) + 120)
    assert client("GET", "/api/x", [("cookie", pair)]).body == b"{}"


def test_the_first_key_signs_and_all_are_accepted(ask, monkeypatch):
    ask("POST", {"user": "ada"})
    old = ask.jar["pair"]
    monkeypatch.setenv("SESSION_KEY", "new-key, a-key-of-thirty-two-characters-ab")
    assert ask("GET", cookie=old).body == b'{"user":"ada"}'
    ask("POST", {"n": 1}, cookie=old)
    monkeypatch.setenv("SESSION_KEY", "new-key")
    assert json.loads(ask("GET").body) == {"user": "ada", "n": 1}
    assert ask("GET", cookie=old).body == b"{}"


def test_two_sessions_with_one_key_do_not_take_each_others_cookies(guarded, monkeypatch):
    monkeypatch.setenv("SESSION_KEY", "k" * 32)
    files = {"app/api/x/route.py": ROUTE}
    first = guarded("session('SESSION_KEY', cookie='one')", files=files)
    token = first("POST", "/api/x", body=b'{"user": "ada"}').header("set-cookie").partition(";")[0]
    second = guarded("session('SESSION_KEY', cookie='two')", files=files)
    assert second("GET", "/api/x", [("cookie", token.replace("one=", "two="))]).body == b"{}"


def test_a_missing_key_is_a_500_that_names_the_variable(ask, monkeypatch, caplog):
    monkeypatch.delenv("SESSION_KEY")
    assert ask("GET").status == 500
    assert "the environment variable SESSION_KEY is not set" in caplog.text


def test_a_session_too_large_for_a_cookie_is_a_500_that_says_so(ask, caplog):
    ask("POST", {"data": [f"{number * 7919 % 100003:x}" for number in range(5000)]})
    assert "browsers keep 4096" in caplog.text
    assert "a-key-of" not in caplog.text


def test_a_project_without_itsdangerous_is_told_to_declare_it():
    code = "import sys\nsys.modules['itsdangerous'] = None\nfrom runtimes.middleware import session"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert 'session() needs itsdangerous: add "itsdangerous>=2.2" to [project] dependencies' in done.stderr
