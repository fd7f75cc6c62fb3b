"""The HTTP cases of the conformance suite, asked through the client that projects have for their tests."""

import importlib.util
import json
from pathlib import Path

import httpx
import pytest

from runtimes.testing import Client

SUITE = Path(__file__).parents[2].parent / "shared" / "conformance"
if not SUITE.exists():
    pytest.skip("the conformance suite is not beside the repository", allow_module_level=True)

APPS = sorted(path.stem for path in (SUITE / "cases").glob("*.json"))


@pytest.fixture
def runner():
    """The suite's own runner, a copy of which each test may change."""
    spec = importlib.util.spec_from_file_location("conformance_run_by_client", SUITE / "run.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def requests_of(case):
    steps = case.get("parallel") or case.get("steps") or [case]
    return [step["request"] for step in steps]


def is_sent_as_written(request):
    """httpx mends some URLs and methods; those are for the tests that have a socket."""
    path, method = request["path"], request["method"]
    return (
        method == method.upper()
        and not path.startswith("//")
        and httpx.URL(f"http://127.0.0.1{path}").raw_path.decode() == path
    )


# Starlette leaves the files of a form open that breaks off, and of one that its handler does not close
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("runtime", ["edge", "nodejs"])
@pytest.mark.parametrize("app", APPS)
def test_the_client_answers_as_the_suite_says(app, runtime, runner):
    cases = json.loads((SUITE / "cases" / f"{app}.json").read_text())
    with Client(
        SUITE / "apps" / app, runtime=runtime, base_url="http://127.0.0.1", raise_errors=False
    ) as client:

        def send(_base_url, request):
            client.cookies.clear()
            client.headers.clear()
            headers = [(name, value.encode()) for name, value in request.get("headers", [])]
            answer = client.request(
                request["method"], request["path"], headers=headers, content=runner.body_of(request)
            )
            rows = [(name.lower().decode(), value.decode("latin-1")) for name, value in answer.headers.raw]
            return {"status": answer.status_code, "headers": rows, "body": answer.content}

        runner.send = send
        asked = [case for case in cases if all(map(is_sent_as_written, requests_of(case)))]
        found = {case["name"]: rows for case in asked if (rows := runner.run_case("", case))}
    assert len(asked) > 0.7 * len(cases)
    assert found == {}
