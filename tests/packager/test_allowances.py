import pytest

from packager.examine import examine

TAIL = '\nruntime = "edge"\ndef GET(): pass\n'
ALLOW = "# packager: allow[banned-import] only the exception"


def found_in(write, text):
    return examine(write({"app/a/route.py": text + TAIL})).diagnostics


@pytest.mark.parametrize(
    "text",
    [
        f"import subprocess  {ALLOW}",
        "import subprocess  # packager: allow[dynamic-code, banned-import] reason",
        "import subprocess  # noqa  # packager:allow[banned-import]: reason",
        f"from subprocess import (  {ALLOW}\n    run,\n)",
        f"from subprocess import (\n    run,\n)  {ALLOW}",
        f"import os\nx = [\n    os.system,\n]  {ALLOW}",
        f"import os\nx = [  {ALLOW}\n    os.system,\n]",
        f"import os\nx = [\n    os.system,  {ALLOW}\n    1,\n]",
        f"def f():\n    if x:\n        from subprocess import (\n            run,\n        )  {ALLOW}",
        f"import os\nif (\n    os.system\n):  {ALLOW}\n    pass",
    ],
)
def test_a_comment_on_the_line_or_an_end_of_its_statement_allows(write, text):
    assert found_in(write, text) == ()


@pytest.mark.parametrize(
    "text",
    [
        f"{ALLOW}\nimport subprocess",
        f"import subprocess\nx = 1  {ALLOW}",
        f"def f():  {ALLOW}\n    import subprocess",
        f"if x:  {ALLOW}\n    import subprocess\n    y = 1",
        f"try:\n    import subprocess\nfinally:\n    x = 1  {ALLOW}",
    ],
)
def test_a_comment_elsewhere_does_not(write, text):
    assert [item.rule for item in found_in(write, text)] == ["banned-import"]


def test_a_comment_that_fails_to_allow_is_explained(write):
    [found] = found_in(write, "import subprocess  # packager: allow[banned-import]")
    assert found.hint.endswith("The comment allow[banned-import] only counts with a reason after it.")
    [found] = found_in(write, "import subprocess  # packager: allow[banned-imports] reason")
    assert found.hint.endswith("The comment here allows banned-imports, not banned-import.")
