"""How long CloudFront keeps an answer, and which requests share one."""

import pytest

from packager.preview.edge_cache import EdgeCache, Lifetime, is_unchanged, key_of, lifetime_of
from packager.preview.http import Answer, Headers
from packager.preview.topology import CachePolicy, Chosen

DISABLED = CachePolicy()
OPEN = CachePolicy(0, 60, 3600)
LEAST = CachePolicy(30, 60, 3600)
NOW = 1_700_000_000
LATER = b"Tue, 14 Nov 2023 22:15:20 GMT"
"""120 seconds after `NOW`."""


@pytest.mark.parametrize(
    ("policy", "control", "expected"),
    [
        (DISABLED, "s-maxage=60", None),
        (OPEN, "", Lifetime(60)),
        (OPEN, "max-age=5", Lifetime(5)),
        (OPEN, "max-age=5, s-maxage=7", Lifetime(7)),
        (OPEN, 'Max-Age="5"', Lifetime(5)),
        (OPEN, "s-maxage=9999", Lifetime(3600)),
        (OPEN, "s-maxage=0", None),
        (OPEN, "s-maxage=60, stale-while-revalidate=9", Lifetime(60, 9)),
        (OPEN, "s-maxage=0, stale-while-revalidate=9, stale-if-error=8", Lifetime(0, 9, 8)),
        (OPEN, "no-store", None),
        (OPEN, "private, max-age=5", None),
        (OPEN, "no-cache", None),
        (LEAST, "no-store", Lifetime(30)),
        (LEAST, "max-age=5", Lifetime(30)),
        (LEAST, "public", Lifetime(60)),
    ],
)
def test_successes_are_kept_by_policy_and_cache_control(
    policy: CachePolicy, control: str, expected: Lifetime | None
) -> None:
    headers: Headers = ((b"cache-control", control.encode()),) if control else ()
    assert lifetime_of(policy, {}, 200, headers, NOW) == expected


def test_expires_counts_where_cache_control_does_not_say() -> None:
    assert lifetime_of(OPEN, {}, 200, ((b"expires", LATER),), NOW) == Lifetime(120)
    assert lifetime_of(OPEN, {}, 200, ((b"expires", b"0"),), NOW) is None
    both = ((b"expires", LATER), (b"cache-control", b"max-age=3"))
    assert lifetime_of(OPEN, {}, 200, both, NOW) == Lifetime(3)


@pytest.mark.parametrize(
    ("status", "control", "expected"),
    [
        (404, "", Lifetime(10)),
        (404, "max-age=30", Lifetime(30)),
        (404, "no-store", None),
        (500, "no-store", Lifetime(10)),
        (502, "max-age=1", Lifetime(10)),
        (503, "", None),
        (503, "s-maxage=4", Lifetime(4)),
        (403, "", None),
        (403, "max-age=20", Lifetime(20)),
        (401, "max-age=20", None),
        (206, "max-age=20", None),
    ],
)
def test_errors_are_kept_by_their_own_rules(status: int, control: str, expected: Lifetime | None) -> None:
    headers: Headers = ((b"cache-control", control.encode()),) if control else ()
    assert lifetime_of(OPEN, {503: 0}, status, headers, NOW) == expected


def test_requests_share_an_answer_by_what_the_policy_names() -> None:
    policy = CachePolicy(
        max_ttl=1,
        headers=Chosen("whitelist", frozenset({"origin"})),
        cookies=Chosen("allExcept", frozenset({"track"})),
        query=Chosen("whitelist", frozenset({"page"})),
        encodings=("gzip", "br"),
    )

    def key(query: bytes = b"", **headers: bytes) -> object:
        rows = tuple((name.replace("_", "-").encode(), value) for name, value in headers.items())
        return key_of(policy, b"/a", query, rows)

    assert key(b"page=1&x=2") == key(b"page=1")
    assert key(b"page=1") != key(b"page=2")
    assert key(origin=b"one") != key(origin=b"two")
    assert key(user_agent=b"one") == key(user_agent=b"two")
    assert key(cookie=b"a=1; track=2") == key(cookie=b"track=3; a=1") != key(cookie=b"a=2")
    assert key(accept_encoding=b"gzip, deflate, br;q=0.9") == key(accept_encoding=b"br,gzip") != key()


def test_what_was_asked_for_longest_ago_goes_first() -> None:
    now = 0.0
    cache = EdgeCache(lambda: now, capacity=10)

    def keep(name: bytes, size: int) -> None:
        cache.keep((name,), Answer(200, (), b"x" * size), Lifetime(5, 2))

    keep(b"a", 4)
    keep(b"b", 4)
    assert cache.find((b"a",))
    keep(b"c", 4)
    assert [cache.find((name,)) is not None for name in (b"a", b"b", b"c")] == [True, False, True]
    keep(b"large", 11)
    assert cache.find((b"large",)) is None
    cache.drop((b"c",))
    keep(b"d", 6)
    found = cache.find((b"a",))
    assert found is not None
    now = 6.0
    assert (found.age(now), found.is_fresh(now), found.may_be_stale(now)) == (6, False, True)
    assert not found.may_be_stale(7)


def test_a_viewers_copy_is_compared_by_tag_and_by_date() -> None:
    answer = Answer(200, ((b"etag", b'"a"'), (b"last-modified", LATER)), b"")
    assert is_unchanged(((b"if-none-match", b'"b", W/"a"'),), answer)
    assert not is_unchanged(((b"if-none-match", b'"b"'), (b"if-modified-since", LATER)), answer)
    assert is_unchanged(((b"if-modified-since", LATER),), answer)
    assert not is_unchanged(((b"if-modified-since", b"never"),), answer)
    assert not is_unchanged((), answer)
