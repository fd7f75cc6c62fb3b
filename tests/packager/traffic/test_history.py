"""How many exchanges are kept, and who hears of them."""

from packager.traffic.history import Body, Exchange, History
from packager.traffic.trace import Trace


def exchange(history: History, body: bytes = b"") -> Exchange:
    """The next exchange of a history, over."""
    made = Exchange(history.number(), "GET", b"/", "1.1", (), Trace())
    made.response_body.add(body)
    history.ended(made)
    return made


def test_the_oldest_go_first_by_count() -> None:
    history = History(most=2)
    for _ in range(3):
        exchange(history)
    assert [item.number for item in history.exchanges()] == [2, 3]
    assert history.find(1) is None
    assert history.find(3) is history.exchanges()[1]


def test_the_oldest_go_first_by_bytes_and_the_last_one_stays() -> None:
    history = History(most_bytes=20_000)
    for size in (9_000, 9_000, 9_000):
        exchange(history, b"x" * size)
    assert [item.number for item in history.exchanges()] == [3]
    exchange(history, b"x" * 60_000)
    assert [item.number for item in history.exchanges()] == [4]


def test_listeners_hear_of_beginnings_and_ends_until_they_leave() -> None:
    history = History()
    heard: list[int] = []
    leave = history.listen(lambda item: heard.append(item.number))
    made = Exchange(history.number(), "GET", b"/", "1.1", (), Trace())
    history.begun(made)
    assert history.find(1) is made
    history.ended(made)
    assert history.exchanges() == (made,)
    leave()
    exchange(history)
    assert heard == [1, 1]


def test_what_is_forgotten_weighs_nothing_any_more() -> None:
    history = History(most_bytes=10_000)
    exchange(history, b"x" * 7_000)
    history.clear()
    assert history.exchanges() == ()
    exchange(history, b"x" * 3_000)
    exchange(history)
    assert len(history.exchanges()) == 2


def test_a_body_knows_whether_it_is_whole() -> None:
    body = Body()
    body.add(b"x" * 65_536)
    assert body.is_whole
    body.add(b"y")
    assert (body.is_whole, body.size, len(body.kept)) == (False, 65_537, 65_536)
