import asyncio

import pytest

from runtimes.middleware import MemoryStore, rate_limit

LIMITS = ("ratelimit-limit", "ratelimit-remaining", "ratelimit-reset", "retry-after")


def limits(answer):
    return tuple(answer.header(name) for name in LIMITS)


def test_requests_over_the_limit_get_429_and_are_told_when_to_come_back(guarded):
    ask = guarded("rate_limit(2, per=60)")
    assert [limits(ask("GET", "/api/x"))[:2] for _ in range(2)] == [("2", "1"), ("2", "0")]
    answer = ask("GET", "/api/x")
    assert (answer.status, answer.body) == (429, b'{"error":"Too Many Requests"}')
    limit, remaining, reset, retry = limits(answer)
    assert (limit, remaining, reset) == ("2", "0", retry)
    assert 1 <= int(retry) <= 60


@pytest.mark.parametrize(("method", "path", "status"), [("PUT", "/api/x", 500), ("GET", "/none", 404)])
def test_errors_tell_the_limit_too(guarded, method, path, status):
    answer = guarded("rate_limit(5, per=60)")(method, path)
    assert (answer.status, limits(answer)[:2]) == (status, ("5", "4"))


def test_each_key_has_a_window_of_its_own(guarded):
    ask = guarded("rate_limit(1, per=60, key=lambda request: request.headers.get('x-user'))")
    statuses = [ask("GET", "/api/x", [("x-user", user)]).status for user in ("ada", "alan", "ada")]
    assert statuses == [200, 200, 429]
    assert [ask("GET", "/api/x").status for _ in range(2)] == [200, 429]


def test_of_two_limits_the_inner_one_speaks_if_it_was_reached(guarded):
    ask = guarded("rate_limit(2, per=60)", "rate_limit(9, per=1)")
    assert limits(ask("GET", "/api/x"))[:2] == ("9", "8")
    ask("GET", "/api/x")
    assert limits(ask("GET", "/api/x"))[:2] == ("2", "0")


def test_a_store_that_fails_is_logged_and_lets_the_request_through(guarded, caplog):
    code = "class Down:\n    async def hit(self, key, window):\n        raise OSError('no table')\n"
    answer = guarded("rate_limit(1, per=60, store=Down())", code=code)("GET", "/api/x")
    assert (answer.status, limits(answer)) == (200, (None,) * 4)
    assert "the request is let through" in caplog.text
    assert "no table" in caplog.text


@pytest.mark.parametrize("limit", [{"limit": 0, "per": 1}, {"limit": 1, "per": 0}])
def test_a_limit_of_nothing_is_refused_at_start(limit):
    with pytest.raises(ValueError, match="both must be positive"):
        rate_limit(**limit)


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


def hit(store, key, window=10):
    return asyncio.run(store.hit(key, window))


def test_a_window_begins_with_its_first_hit_and_ends_after_its_length():
    clock = Clock()
    store = MemoryStore(clock=clock)
    assert hit(store, "a") == (1, 10)
    clock.now += 9
    assert hit(store, "a") == (2, 1)
    clock.now += 1
    assert hit(store, "a") == (1, 10)


def test_the_memory_is_bounded_and_the_oldest_window_goes_first():
    clock = Clock()
    store = MemoryStore(max_keys=2, clock=clock)
    for key in ("a", "b"):
        hit(store, key)
    clock.now += 11
    hit(store, "a")
    hit(store, "c")
    assert hit(store, "a") == (2, 10)
    assert hit(store, "b") == (1, 10)
    assert hit(store, "a") == (1, 10)
