"""nodejs functions through the front door, under the real awslambdaric."""

import asyncio
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from serving import alive

from infra.manifest import Distribution, Function

type Make = Callable[..., Function]
type Built = Callable[..., Path]

# docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html, less the credentials of a role
DEFINED = {
    *(
        "AWS_DEFAULT_REGION",
        "AWS_EXECUTION_ENV",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
        "AWS_LAMBDA_FUNCTION_NAME",
    ),
    *("AWS_LAMBDA_FUNCTION_VERSION", "AWS_LAMBDA_INITIALIZATION_TYPE", "AWS_LAMBDA_LOG_GROUP_NAME"),
    *("AWS_LAMBDA_LOG_STREAM_NAME", "AWS_LAMBDA_RUNTIME_API", "AWS_REGION", "AWS_XRAY_CONTEXT_MISSING"),
    *("AWS_XRAY_DAEMON_ADDRESS", "LAMBDA_RUNTIME_DIR", "LAMBDA_TASK_ROOT", "LANG", "LD_LIBRARY_PATH", "PATH"),
    *("PYTHONPATH", "TZ", "_HANDLER", "_X_AMZN_TRACE_ID"),
}
FAILED = (500, {"message": "Internal Server Error"})


def test_event_is_payload_2_with_the_query_as_sent_and_the_path_decoded(
    nodejs: Make, built: Built, exercise: Any
) -> None:
    async def use(running: Any) -> None:
        answer = await running.raw(
            b"POST /api/a%2Fb%20/%7e/echo?x=%zz&x=1;2&y HTTP/1.1\r\nHost: example.test:1\r\nX-Two: 1\r\nx-two: 2\r\n"
            b"Cookie: a=1; b=2\r\nCookie: c=3\r\nX-Middleware-Next: 1\r\nCloudfront-Viewer-Country: XX\r\n"
            b"X-Packager-Y: 1\r\nContent-Type: application/json\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"
        )
        head, _, body = answer.partition(b"\r\n\r\n")
        event = json.loads(body)
        assert head.startswith(b"HTTP/1.1 200 ")
        assert event["rawPath"] == "/api/a/b /~/echo"
        assert event["rawQueryString"] == "x=%zz&x=1;2&y"
        assert event["cookies"] == ["a=1", "b=2", "c=3"]
        assert event["headers"] == {
            "host": "example.test:1",
            "x-two": "1,2",
            "content-type": "application/json",
            "content-length": "2",
            "x-forwarded-for": "127.0.0.1",
            "x-forwarded-proto": "http",
            "x-packager-host": "example.test:1",
            "x-packager-path": "/api/a%2Fb%20/%7e/echo",
        }
        assert event["body"] == "{}"
        assert event["routeKey"] == "ANY /api/{rest+}"
        assert event["pathParameters"] == {"rest": "a/b /~/echo"}
        assert event["requestContext"]["http"]["method"] == "POST"
        assert event["requestContext"]["http"]["sourceIp"] == "127.0.0.1"

    exercise(built(nodejs()), use)


def test_environment_is_lambdas_and_the_apps_and_nothing_else(
    nodejs: Make, built: Built, exercise: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OF_THE_BUILDER", "private")

    async def use(running: Any) -> None:
        environment = (await running.client.get("/api/environ")).json()
        assert {key: environment.pop(key) for key in ("PLAIN", "API_KEY", "SET_BY_TOOL")} == {
            "PLAIN": "value",
            "API_KEY": "local secret",
            "SET_BY_TOOL": "yes",
        }
        assert {key for key in environment if key.startswith("PACKAGER_")} == {"PACKAGER_BEHIND_CDN"}
        assert set(environment) - {"PACKAGER_BEHIND_CDN"} == DEFINED

    exercise(built(nodejs()), use)


def test_nothing_but_artifact_standard_library_and_client_is_importable(
    nodejs: Make, built: Built, exercise: Any
) -> None:
    async def use(running: Any) -> None:
        found = (await running.client.get("/api/path")).json()
        assert found["path"][0] == found["cwd"] == str(Path(found["file"]).parent)
        assert not [folder for folder in found["path"] if "site-packages" in folder]
        for name in ("packager", "httpx", "click", "starlette"):
            assert "No module named" in (await running.client.get(f"/api/import?{name}")).json()
        assert (await running.client.get("/api/import?simplejson")).json() == "imported"

    exercise(built(nodejs()), use)


def test_overlay_goes_before_the_artifact(nodejs: Make, built: Built, exercise: Any, tmp_path: Path) -> None:
    overlay = tmp_path / "overlay"
    overlay.mkdir()
    (overlay / "nativething.py").write_text("")
    function = nodejs(distributions=(Distribution("nativething", "1.0", native=True),), architecture="other")

    async def use(running: Any) -> None:
        assert (await running.client.get("/api/path")).json()["path"][0] == str(overlay)
        assert [line for line in running.log if "nativething 1.0" in line]

    exercise(built(function), use, (overlay,))


def test_sixty_four_requests_in_flight_are_served_in_parallel(
    nodejs: Make, built: Built, exercise: Any
) -> None:
    async def use(running: Any) -> None:
        answers = await asyncio.gather(*(running.client.get("/api/sleep?0.5") for _ in range(64)))
        assert {answer.status_code for answer in answers} == {200}
        assert len({answer.json() for answer in answers}) > 1

    exercise(built(nodejs()), use)


def test_requests_in_a_row_meet_the_same_process(nodejs: Make, built: Built, exercise: Any) -> None:
    async def use(running: Any) -> None:
        await asyncio.gather(*(running.client.get("/api/sleep?0.3") for _ in range(3)))
        assert len({(await running.client.get("/api/pid")).json() for _ in range(30)}) == 1

    exercise(built(nodejs()), use)


@pytest.mark.parametrize(
    ("action", "reason"), [("exit", "exit status 3"), ("segfault", "signal: segmentation fault")]
)
def test_crash_is_500_and_the_next_request_gets_a_fresh_process(
    nodejs: Make, built: Built, exercise: Any, action: str, reason: str
) -> None:
    async def use(running: Any) -> None:
        first = (await running.client.get("/api/pid")).json()
        crashed = await running.client.get(f"/api/{action}")
        assert (crashed.status_code, crashed.json()) == FAILED
        assert (await running.client.get("/api/pid")).json() != first
        [told] = [line for line in running.log if f"Error: Runtime exited with error: {reason}" in line]
        at = running.log.index(told)
        assert running.log[at + 1] == "[api] Runtime.ExitError"
        assert running.log[at + 3].endswith("\tStatus: error\tError Type: Runtime.ExitError")

    exercise(built(nodejs()), use)


def test_function_past_its_time_is_killed_with_500(nodejs: Make, built: Built, exercise: Any) -> None:
    async def use(running: Any) -> None:
        first = (await running.client.get("/api/pid")).json()
        late = await running.client.get("/api/spin")
        assert (late.status_code, late.json()) == FAILED
        assert (await running.client.get("/api/pid")).json() != first
        assert not alive(first)
        assert [line for line in running.log if line.endswith(" Task timed out after 1.00 seconds")]
        assert [line for line in running.log if line.endswith("\tStatus: timeout")]

    exercise(built(nodejs(max_duration=1)), use)


@pytest.mark.skipif(sys.platform != "linux", reason="memory of a process is read from /proc")
def test_function_past_its_memory_is_killed_with_500(nodejs: Make, built: Built, exercise: Any) -> None:
    async def use(running: Any) -> None:
        assert (await running.client.get("/api/memory?10")).status_code == 200
        too_much = await running.client.get("/api/memory?200")
        assert (too_much.status_code, too_much.json()) == FAILED
        assert (await running.client.get("/api/memory?10")).status_code == 200
        assert [line for line in running.log if "Error: Runtime exited with error: signal: killed" in line]
        end = "\tMax Memory Used: 128 MB\tStatus: error\tError Type: Runtime.OutOfMemory"
        assert [line for line in running.log if line.endswith(end)]

    exercise(built(nodejs(memory=128)), use)


def test_uncaught_exception_is_the_gateways_500_and_its_traceback_is_logged(
    nodejs: Make, built: Built, exercise: Any
) -> None:
    async def use(running: Any) -> None:
        first = (await running.client.get("/api/pid")).json()
        failed = await running.client.get("/api/raise")
        assert (failed.status_code, failed.content) == (500, b'{"message":"Internal Server Error"}')
        assert (await running.client.get("/api/pid")).json() == first
        assert [line for line in running.log if "app.py" in line and "line" in line]

    exercise(built(nodejs()), use)


def test_import_error_is_500_and_the_start_is_tried_again_within_the_invocation(
    nodejs: Make, built: Built, exercise: Any
) -> None:
    handler = 'import missing_module\n\ndef handler(event, context):\n    return "never"\n'

    async def use(running: Any) -> None:
        for count in (1, 2):
            answer = await running.client.get("/api/x")
            assert (answer.status_code, answer.json()) == FAILED
            for phase in ("init", "invoke"):
                end = f"\tPhase: {phase}\tStatus: error\tError Type: Runtime.ImportModuleError"
                told = [line for line in running.log if "INIT_REPORT" in line and line.endswith(end)]
                assert len(told) == count
        assert [line for line in running.log if "No module named 'missing_module'" in line]
        life = [line.split("RequestId")[0].split("Duration")[0] for line in running.log if line[6:].isascii()]
        words = [line for line in life if line.split()[1] in ("INIT_REPORT", "START", "END", "REPORT")]
        assert words[:5] == [
            *("[api] INIT_REPORT Init ", "[api] INIT_REPORT Init ", "[api] START "),
            *("[api] END ", "[api] REPORT "),
        ]

    exercise(built(nodejs(), handler=handler), use)


def test_exception_at_import_is_logged_with_file_and_line(nodejs: Make, built: Built, exercise: Any) -> None:
    async def use(running: Any) -> None:
        assert (await running.client.get("/api/x")).status_code == 500
        assert [line for line in running.log if "app.py" in line and "line 2" in line]

    exercise(built(nodejs(), handler="x = 1\nraise ValueError(x)\n"), use)


def test_output_without_a_line_end_is_logged_before_the_report(
    nodejs: Make, built: Built, exercise: Any
) -> None:
    handler = "import sys\ndef handler(event, context):\n    sys.stderr.write('no end')\n    return {}\n"

    async def use(running: Any) -> None:
        for _ in range(2):
            await running.client.get("/api/x")
        first = [line.partition(" RequestId")[0] for line in running.log if line.startswith("[api]")][:4]
        assert first == ["[api] START", "[api] no end", "[api] END", "[api] REPORT"]

    exercise(built(nodejs(), handler=handler), use)


def test_output_and_report_lines_carry_the_functions_name(nodejs: Make, built: Built, exercise: Any) -> None:
    async def use(running: Any) -> None:
        # an invocation is reported when its process asks for the next: at the latest when that has started
        for _ in range(3):
            await running.client.get("/api/print")
        for text in ("loaded", "to stdout", "to stderr"):
            assert f"[api] {text}" in running.log
        reports = [line for line in running.log if line.startswith("[api] REPORT RequestId: ")]
        assert len(reports) in (2, 3)
        assert "Init Duration" in reports[0]
        assert "Init Duration" not in reports[1]
        assert "Memory Size: 256 MB" in reports[0]

    exercise(built(nodejs()), use)


def test_artifact_is_read_only_and_tmp_is_writable(nodejs: Make, built: Built, exercise: Any) -> None:
    async def use(running: Any) -> None:
        root = (await running.client.get("/api/path")).json()["cwd"]
        for path in ("app.py", "new.txt", f"{root}/data/new.txt", f"{root}/data/note.txt"):
            assert (await running.client.get(f"/api/write?{path}")).json() in ("PermissionError", "OSError")
        assert (await running.client.get("/api/write?/tmp/free.txt")).json() == "written"

    exercise(built(nodejs()), use)


def test_result_above_six_megabytes_is_the_gateways_500(nodejs: Make, built: Built, exercise: Any) -> None:
    async def use(running: Any) -> None:
        assert len((await running.client.get("/api/large?6000000")).content) == 6_000_002
        large = await running.client.get("/api/large?6400000")
        assert (large.status_code, large.content) == (500, b'{"message":"Internal Server Error"}')

    exercise(built(nodejs()), use)


@pytest.mark.parametrize("size", [7 * 2**20, 11 * 2**20])
def test_request_above_the_limits_is_413(nodejs: Make, built: Built, exercise: Any, size: int) -> None:
    async def chunks() -> Any:
        for _ in range(size // 2**16):
            yield b"x" * 2**16

    async def use(running: Any) -> None:
        for content in (b"x" * size, chunks()):
            answer = await running.client.post("/api/x", content=content)
            assert (answer.status_code, answer.json()) == (413, {"message": "Request Entity Too Large"})

    exercise(built(nodejs()), use)


def test_malformed_result_is_the_gateways_500(nodejs: Make, built: Built, exercise: Any) -> None:
    async def use(running: Any) -> None:
        answer = await running.client.post("/api/result", json={"statusCode": "many"})
        assert (answer.status_code, answer.content) == (500, b'{"message":"Internal Server Error"}')

    exercise(built(nodejs()), use)


def test_answer_goes_out_exactly_as_given(nodejs: Make, built: Built, exercise: Any) -> None:
    result = {
        "statusCode": 201,
        "headers": {"X-Own": "yes", "content-length": "999"},
        "cookies": ["a=1", "b=2"],
        "body": "AAH/",
        "isBase64Encoded": True,
    }

    async def use(running: Any) -> None:
        body = json.dumps(result).encode()
        request = b"POST /api/result HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s"
        answer = await running.raw(request % (len(body), body))
        head, _, content = answer.partition(b"\r\n\r\n")
        assert content == b"\x00\x01\xff"
        assert head.lower().split(b"\r\n") == [
            b"http/1.1 201 created",
            *(
                b"x-own: yes",
                b"set-cookie: a=1",
                b"set-cookie: b=2",
                b"content-length: 3",
                b"connection: close",
            ),
        ]

    exercise(built(nodejs()), use)


def test_head_keeps_the_length_and_204_has_none(nodejs: Make, built: Built, exercise: Any) -> None:
    async def use(running: Any) -> None:
        head = await running.client.head("/api/echo")
        assert int(head.headers["content-length"]) > 0
        assert head.content == b""
        result = {"statusCode": 204, "headers": {"content-length": "4"}, "body": "text"}
        empty = await running.client.post("/api/result", json=result)
        assert (empty.status_code, empty.content) == (204, b"")
        assert "content-length" not in empty.headers

    exercise(built(nodejs()), use)


def test_context_tells_function_memory_and_time(nodejs: Make, built: Built, exercise: Any) -> None:
    async def use(running: Any) -> None:
        name, memory, remaining = (await running.client.get("/api/context")).json()
        assert (name, memory) == ("api", "256")
        assert 10_000 < remaining <= 20_000

    exercise(built(nodejs()), use)


FROZEN = """
import json, os
from snapshot_restore_py import register_after_restore, register_before_snapshot

order = [os.environ["AWS_LAMBDA_INITIALIZATION_TYPE"]]
register_after_restore(order.append, "restored")
register_before_snapshot(order.append, "before")

def handler(event, context):
    return {"statusCode": 200, "body": json.dumps(order)}
"""


def test_hooks_around_the_snapshot_run_before_the_first_request(
    nodejs: Make, built: Built, exercise: Any
) -> None:
    async def use(running: Any) -> None:
        for _ in range(2):
            answer = await running.client.get("/api/x")
            assert json.loads(answer.content) == ["snap-start", "before", "restored"]

    exercise(built(nodejs(snap_start=True), handler=FROZEN), use)


@pytest.mark.parametrize("hook", ["register_after_restore", "register_before_snapshot"])
def test_a_hook_that_fails_is_a_failed_start(nodejs: Make, built: Built, exercise: Any, hook: str) -> None:
    async def use(running: Any) -> None:
        assert (await running.client.get("/api/x")).status_code == 500

    exercise(built(nodejs(snap_start=True), handler=f"{FROZEN}\n{hook}(lambda: 1 / 0)\n"), use)


def test_no_process_is_left_when_the_door_closes(nodejs: Make, built: Built, exercise: Any) -> None:
    async def use(running: Any) -> set[int]:
        answers = await asyncio.gather(*(running.client.get("/api/sleep?0.2") for _ in range(4)))
        return {answer.json() for answer in answers}

    pids = exercise(built(nodejs()), use)
    assert pids
    assert not [pid for pid in pids if alive(pid)]
