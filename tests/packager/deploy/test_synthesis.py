import pickle

import pytest

from infra.errors import Fault
from packager import project, stages, synth
from packager.deploy import synthesis
from packager.diagnostics import Diagnostic
from packager.errors import DiagnosticsError, ProjectError, StacksError, ToolError

PYPROJECT = """
[project]
name = "shop"

[tool.packager.stages.dev]
region = "us-east-1"
"""


@pytest.fixture
def root(write, wheelhouse):
    for name, version in (("anyio", "1.0"), ("starlette", "1.10.0"), ("mangum", "0.22.0")):
        wheelhouse.add(name, version)
    wheelhouse.add("python-multipart", "0.0.30")
    return write({"pyproject.toml": PYPROJECT, "app/api/a/route.py": "def GET():\n    return {}\n"})


def synthesize(root, reports=None):
    loaded = project.load(root)
    report = (reports if reports is not None else []).append
    return synthesis.synthesize(loaded, stages.read(loaded, "dev"), "dev", report)


def is_current(root):
    loaded = project.load(root)
    return synth.is_current(loaded, stages.read(loaded, "dev"))


def test_what_is_current_is_taken_as_it_is(root):
    synth.synth(root, "dev", report=lambda _: None)
    reports = []
    made = synthesize(root, reports)
    assert reports == []
    assert [row.name for row in made.assembly.stacks] == ["shop-dev-api", "shop-dev-edge", "shop-dev-ops"]
    assert (made.app, made.stage.region) == ("shop", "us-east-1")


def test_a_change_of_code_settings_or_variables_makes_it_stale(root):
    def again():
        synth.synth(root, "dev", report=lambda _: None)
        assert is_current(root)

    assert not is_current(root)
    again()
    (root / "app/api/a/route.py").write_text("def GET():\n    return {'a': 1}\n")
    assert not is_current(root)
    again()
    (root / "pyproject.toml").write_text(PYPROJECT + "cdn = false\n")
    assert not is_current(root)
    again()
    (root / ".env.dev").write_text("COLOUR=blue\n")
    assert not is_current(root)


def test_what_is_stale_is_made_in_another_process_which_tells_what_it_does(root):
    synth.synth(root, "dev", report=lambda _: None)
    (root / "pyproject.toml").write_text(PYPROJECT.replace("us-east-1", "eu-west-1"))
    # The build is made here, where the hand-made wheels are not tried.
    synth.synth(root, "dev", report=lambda _: None)
    (root / ".packager/cdk.dev" / synth.RECORD).unlink()
    reports = []
    made = synthesize(root, reports)
    assert reports == ["synthesizing dev for eu-west-1"]
    assert {row.region for row in made.assembly.stacks} == {"eu-west-1", "us-east-1"}


def test_errors_of_the_other_process_arrive_as_they_were_raised(root):
    (root / "app/api/a/route.py").write_text("def GET(:\n")
    with pytest.raises(DiagnosticsError) as caught:
        synthesize(root)
    assert [row.rule for row in caught.value.diagnostics if row.severity == "error"] == ["syntax-error"]


@pytest.mark.parametrize(
    "error",
    [
        ToolError("npm is missing", hint="Install it.", place="here:1"),
        ProjectError("no route", hint="Write one."),
        StacksError([Fault("too many", hint="Fewer.", place="pyproject.toml")], "dev"),
        DiagnosticsError([Diagnostic("no-handlers", "error", "app/route.py", 1, 1, "none", "Write one.")]),
    ],
)
def test_every_error_survives_the_way(error):
    there = pickle.loads(pickle.dumps(error))
    assert type(there) is type(error)
    assert (str(there), vars(there)) == (str(error), vars(error))
