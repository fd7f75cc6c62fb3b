"""The lines of Lambda's log, field by field."""

import re

import pytest

from packager.preview import lambda_memory, lambda_outcome
from packager.preview.lambda_outcome import Fault, FaultKind, Report

MB = 2**20
ID = "8476a536-e9f4-11e8-9739-2dfe598c3fcd"
REPORT = f"REPORT RequestId: {ID}\tDuration: 3.40 ms\tBilled Duration: 4 ms\tMemory Size: 128 MB"


def lines(fault: Fault | None = None, init_ms: float | None = None, peak: int | None = 84 * MB) -> list[str]:
    report = Report(ID, duration_ms=3.404, memory=128 * MB, peak=peak, init_ms=init_ms, fault=fault)
    return list(lambda_outcome.ending_lines(report))


def test_report_of_a_warm_invocation() -> None:
    assert lines() == [
        f"END RequestId: {ID}",
        f"{REPORT}\tMax Memory Used: 84 MB",
    ]


def test_start_is_billed_and_reported() -> None:
    assert lines(init_ms=120.2)[-1] == (
        f"REPORT RequestId: {ID}\tDuration: 3.40 ms\tBilled Duration: 124 ms\tMemory Size: 128 MB"
        "\tMax Memory Used: 84 MB\tInit Duration: 120.20 ms"
    )


def test_memory_that_is_not_known_is_left_out() -> None:
    assert "Max Memory Used" not in lines(peak=None)[-1]


def test_timeout_has_its_moment_before_the_request() -> None:
    told, _, report = lines(lambda_outcome.timeout_fault(3))
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z \S+ Task timed out after 3\.00 seconds", told
    )
    assert told.split()[1] == ID
    assert report.endswith("\tMax Memory Used: 84 MB\tStatus: timeout")


def test_crash_says_how_the_process_ended() -> None:
    told = lines(lambda_outcome.exit_fault(-11))
    assert told[:2] == [
        f"RequestId: {ID} Error: Runtime exited with error: signal: segmentation fault",
        "Runtime.ExitError",
    ]
    assert told[-1].endswith("\tStatus: error\tError Type: Runtime.ExitError")


def test_too_much_memory_is_a_kill_with_a_type_of_its_own_and_what_to_do() -> None:
    told = lines(lambda_outcome.memory_fault(300 * MB, 128 * MB), peak=300 * MB)
    assert told == [
        f"RequestId: {ID} Error: Runtime exited with error: signal: killed",
        "Runtime.ExitError",
        "ERROR Runtime.OutOfMemory: 300 MB used of 128 MB: raise `memory` in the route",
        f"END RequestId: {ID}",
        f"{REPORT}\tMax Memory Used: 128 MB\tStatus: error\tError Type: Runtime.OutOfMemory",
    ]


def test_exception_of_the_handler_is_no_status_of_lambdas() -> None:
    assert lines(Fault(FaultKind.HANDLER, "ValueError: wrong")) == lines()


@pytest.mark.parametrize(
    ("status", "text"),
    [(0, "exit status 0"), (3, "exit status 3"), (-9, "signal: killed"), (-6, "signal: aborted")],
)
def test_end_of_a_process_is_spelled_as_lambda_does(status: int, text: str) -> None:
    assert lambda_outcome.exit_text(status) == text


def test_start_that_failed_is_reported_with_its_phase() -> None:
    fault = Fault(FaultKind.INIT, "no module", "Runtime.ImportModuleError")
    assert lambda_outcome.init_report_line(9.089, "init", fault) == (
        "INIT_REPORT Init Duration: 9.09 ms\tPhase: init\tStatus: error\tError Type: Runtime.ImportModuleError"
    )


def test_memory_is_looked_at_the_sooner_the_less_is_left() -> None:
    looks = [lambda_memory.next_look(peak * MB, 512 * MB) for peak in (10, 400, 450, 500, 600)]
    assert looks == sorted(looks, reverse=True)
    assert looks[0] == 0.05
    assert looks[-1] == 0.005
    assert lambda_memory.next_look(None, 512 * MB) == 0.05
