import pytest

from runtimes.middleware import cors

ALLOWED = 'cors(["https://shop.example"], credentials=True, max_age=60)'
SHOP = ("origin", "https://shop.example")
EVIL = ("origin", "https://evil.example")
ASKS = ("access-control-request-method", "PUT")


def permission(answer):
    names = ("access-control-allow-origin", "access-control-allow-credentials", "vary")
    return tuple(answer.header(name) for name in names)


def test_a_preflight_is_answered_for_every_route(guarded):
    answer = guarded(ALLOWED)("OPTIONS", "/api/x", [SHOP, ASKS, ("access-control-request-headers", "x-a")])
    assert (answer.status, answer.body) == (204, b"")
    assert permission(answer) == ("https://shop.example", "true", "Access-Control-Request-Headers, Origin")
    assert (
        answer.header("access-control-allow-methods") == "GET, HEAD, OPTIONS, POST, PUT, PATCH, DELETE, QUERY"
    )
    assert (answer.header("access-control-allow-headers"), answer.header("access-control-max-age")) == (
        "x-a",
        "60",
    )


def test_lists_are_sent_as_they_are_given(guarded):
    part = 'cors(["*"], methods=["GET", "PUT"], headers=["X-B"])'
    answer = guarded(part)("OPTIONS", "/api/x", [EVIL, ASKS])
    assert answer.header("access-control-allow-methods") == "GET, PUT"
    assert answer.header("access-control-allow-headers") == "X-B"
    assert permission(answer) == ("*", None, None)


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/api/x", 200), ("PUT", "/api/x", 500), ("GET", "/no", 404)]
)
def test_every_answer_carries_the_permission(guarded, method, path, status):
    answer = guarded(ALLOWED)(method, path, [SHOP])
    assert (answer.status, permission(answer)) == (status, ("https://shop.example", "true", "Origin"))


def test_an_answer_of_a_later_part_carries_it_too(guarded):
    ask = guarded(ALLOWED, "rate_limit(1, per=60)")
    answer = [ask("GET", "/api/x", [SHOP]) for _ in range(2)][-1]
    assert (answer.status, permission(answer)[0]) == (429, "https://shop.example")


def test_a_refused_origin_gets_no_permission_but_its_handler_runs(guarded):
    ask = guarded(ALLOWED)
    assert (ask("GET", "/api/x", [EVIL]).status, permission(ask("GET", "/api/x", [EVIL]))) == (
        200,
        (None, None, "Origin"),
    )
    preflight = ask("OPTIONS", "/api/x", [EVIL, ASKS])
    assert (preflight.status, permission(preflight), preflight.header("access-control-allow-methods")) == (
        204,
        (None, None, "Origin"),
        None,
    )


def test_a_pattern_stands_for_one_label_of_the_host(guarded):
    ask = guarded('cors(["https://*.shop.example"])')
    for origin, allowed in (
        ("https://eu.shop.example", "https://eu.shop.example"),
        ("https://shop.example", None),
    ):
        assert permission(ask("GET", "/api/x", [("origin", origin)]))[0] == allowed


def test_options_that_is_no_preflight_goes_on(guarded):
    answer = guarded(ALLOWED)("OPTIONS", "/api/x")
    assert answer.header("allow") == "GET, HEAD, OPTIONS, PUT"


def test_what_browsers_refuse_is_refused_at_start():
    with pytest.raises(ValueError, match=r"refuse .* with credentials"):
        cors(["*"], credentials=True)
    with pytest.raises(ValueError, match=r"'https://\*shop.example' is not an origin"):
        cors(["https://*shop.example"])
    with pytest.raises(TypeError, match=r"origins is a list, such as \['\*'\]"):
        cors("*")
