import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

from runtimes import after_restore, restored


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    restored.run()
    yield
    restored.run()


def test_functions_run_in_the_order_they_were_given() -> None:
    calls: list[int] = []
    for number in range(3):
        after_restore(partial(calls.append, number))
    assert calls == []
    restored.run()
    assert calls == [0, 1, 2]


def test_each_runs_once() -> None:
    calls: list[str] = []
    after_restore(lambda: calls.append("x"))
    restored.run()
    restored.run()
    assert calls == ["x"]


def test_one_that_is_given_by_another_runs_too() -> None:
    calls: list[str] = []
    after_restore(lambda: after_restore(lambda: calls.append("inner")))
    restored.run()
    assert calls == ["inner"]


def test_as_a_decorator_it_leaves_the_function_as_it_was() -> None:
    def connect() -> str:
        return "connected"

    assert after_restore(connect) is connect


def test_what_one_raises_is_raised_and_the_next_have_not_run() -> None:
    calls: list[str] = []

    def fail() -> None:
        raise LookupError("no such setting")

    after_restore(fail)
    after_restore(lambda: calls.append("x"))
    with pytest.raises(LookupError, match="no such setting"):
        restored.run()
    assert calls == []


async def _coroutine() -> None:
    pass


class _Callable:
    async def __call__(self) -> None:
        pass


def _generator() -> Iterator[None]:
    yield


async def _stream() -> Any:
    yield


@pytest.mark.parametrize(
    "given",
    [_coroutine, partial(_coroutine), _Callable(), _generator, _stream, None, "connect", 3],
    ids=["coroutine", "partial", "callable", "generator", "stream", "none", "text", "number"],
)
def test_what_is_no_plain_function_is_refused(given: Callable[[], Any]) -> None:
    with pytest.raises(TypeError, match=r"after_restore\(\)"):
        after_restore(given)


def test_a_function_that_wants_arguments_is_refused() -> None:
    with pytest.raises(TypeError, match=r"after_restore\(\)"):
        after_restore(lambda setting: setting)  # type: ignore[type-var]


def test_to_import_it_is_to_import_nothing_of_the_framework() -> None:
    code = "import sys; from runtimes import after_restore; sys.exit('starlette' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
