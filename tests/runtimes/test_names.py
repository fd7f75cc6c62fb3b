import subprocess
import sys

import pytest

import runtimes


@pytest.mark.parametrize("name", runtimes.__all__)
def test_every_public_name_is_there_and_is_no_module(name):
    assert callable(getattr(runtimes, name))


def test_an_unknown_name_is_an_import_error():
    with pytest.raises(ImportError):
        from runtimes import nothing  # noqa: F401, PLC0415


def test_the_tool_reads_tables_and_matchers_without_starlette():
    code = "import sys, runtimes.table, runtimes.matchers; sys.exit('starlette' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
