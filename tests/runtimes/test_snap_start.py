"""Both phases of SnapStart, by the hooks of the real runtime, in processes of their own."""

import subprocess
import sys

import pytest

DRIVER = """
import gc, os, random, sys, tempfile
from awslambdaric import lambda_runtime_hooks_runner as hooks
from runtimes import snap_start

class Dice(random.Random):
    pass

own, dice = random.Random(7), Dice(7)
random.seed(7)
tempfile.mktemp()
started = []
snap_start.register(lambda: started.append(random.random()))
hooks.run_before_snapshot()
assert started == []
{fork}
hooks.run_after_restore()
assert len(started) == 1
print(started[0], own.random(), dice.random(), next(tempfile._get_candidate_names()))
"""


@pytest.fixture
def restored() -> list[list[str]]:
    """What two processes see that were restored from one snapshot: two halves of a fork."""
    code = DRIVER.format(fork="if os.fork(): os.wait()")
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return [line.split() for line in done.stdout.splitlines()]


def test_processes_of_one_snapshot_have_randomness_of_their_own(restored: list[list[str]]) -> None:
    first, second = restored
    assert len(first) == len(second) == 4
    assert set(first).isdisjoint(second)


def test_what_has_to_begin_anew_begins_after_the_restore_and_reseeding(restored: list[list[str]]) -> None:
    assert restored[0][0] != restored[1][0]
