import logging
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from runtimes import on_shutdown, shutdown

PROCESS = """
import os, signal, sys
from runtimes import on_shutdown, shutdown
{body}
shutdown.listen()
os.kill(os.getpid(), signal.SIGTERM)
print("alive")
"""


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    shutdown.run()
    yield
    shutdown.run()


def ended(body: str) -> tuple[int, str]:
    environment = {name: value for name, value in os.environ.items() if name != "AWS_LAMBDA_RUNTIME_API"}
    done = subprocess.run(
        [sys.executable, "-c", PROCESS.format(body=body)],
        check=False,
        capture_output=True,
        text=True,
        env=environment,
    )
    return done.returncode, done.stdout


def test_functions_run_once_and_the_last_one_first() -> None:
    calls: list[int] = []
    for number in range(3):
        on_shutdown(lambda number=number: calls.append(number))
    shutdown.run()
    shutdown.run()
    assert calls == [2, 1, 0]


def test_one_that_fails_is_logged_and_the_next_runs(caplog: pytest.LogCaptureFixture) -> None:
    calls: list[str] = []

    def fail() -> None:
        raise LookupError("no such connection")

    on_shutdown(lambda: calls.append("x"))
    on_shutdown(fail)
    with caplog.at_level(logging.ERROR, "runtimes"):
        shutdown.run()
    assert calls == ["x"]
    assert "no such connection" in caplog.text


def test_what_is_no_plain_function_is_refused() -> None:
    async def close() -> None:
        pass

    with pytest.raises(TypeError, match=r"on_shutdown\(\)"):
        on_shutdown(close)


def test_the_signal_runs_them_and_ends_the_process_with_its_output() -> None:
    assert ended("on_shutdown(lambda: print('closed'))") == (0, "closed\n")


def test_a_handler_of_the_projects_own_runs_too() -> None:
    own = "signal.signal(signal.SIGTERM, lambda *_: print('own'))\non_shutdown(lambda: print('closed'))"
    assert ended(own) == (0, "closed\nown\n")


def test_without_functions_the_signal_is_left_as_it_was() -> None:
    assert ended("") == (-15, "")


def test_without_a_lambda_that_answers_all_else_goes_on() -> None:
    # port 9 is nobody's
    body = "os.environ['AWS_LAMBDA_RUNTIME_API'] = '127.0.0.1:9'\non_shutdown(lambda: print('closed'))"
    assert ended(body) == (0, "closed\n")
