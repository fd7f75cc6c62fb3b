"""The stacks of the sample app, kept in `golden/`, so that every change of them is read in the diff.

What only code changes, the hashes of artifacts and the logical ids that hold one, is written as `HASH`.
"""

import os
import re
from pathlib import Path

import pytest
from manifests import manifest_of
from stacks import synthesized

from infra.manifest import Manifest
from infra.stage import Alarms, Stage
from packager.examine import examine
from packager.grouping import rows

SAMPLE = Path(__file__).parents[2] / "sample_app"
GOLDEN = Path(__file__).parent / "golden"
RENEW = "PACKAGER_RENEW_GOLDEN"
STAGE = Stage("prod", region="eu-central-1", alarms=Alarms(email="ops@example.com"))
KINDS = ("api", "edge", "ops")


@pytest.fixture(scope="module")
def templates(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    stacks = synthesized(tmp_path_factory.mktemp("golden"), sample_app(), STAGE)
    texts = {
        kind: (stacks.folder / f"sample-app-prod-{kind}.template.json").read_text(encoding="utf-8")
        for kind in KINDS
    }
    return {kind: normalised(text) for kind, text in texts.items()}


def sample_app() -> Manifest:
    """The manifest of the sample app as a build gives it, but for the artifacts, which are small zips here."""
    examination = examine(SAMPLE)
    app, environment = examination.app, examination.environment
    return manifest_of(
        rows(app),
        name=app.project.name,
        middleware=app.middleware,
        values=environment.values,
        references=environment.references,
    )


def normalised(text: str) -> str:
    text = re.sub(r"\b[0-9a-f]{64}\b", "HASH", text)
    return re.sub(r"(Version|Revision)[0-9a-f]{10}\b", r"\1HASH", text) + "\n"


@pytest.mark.parametrize("kind", KINDS)
def test_the_stacks_of_the_sample_app_are_as_reviewed(templates: dict[str, str], kind: str) -> None:
    file = GOLDEN / f"sample-app-prod-{kind}.json"
    if os.environ.get(RENEW):
        file.parent.mkdir(exist_ok=True)
        file.write_text(templates[kind], encoding="utf-8")
    kept = file.read_text(encoding="utf-8")
    assert templates[kind] == kept, (
        f"the {kind} stack of the sample app is not what tests/infra/golden/{file.name} has. If the change is meant, "
        f"run `{RENEW}=1 python -m pytest tests/infra/test_golden.py` and read the diff of that folder."
    )


def test_the_templates_hold_no_value_of_a_secret_and_no_account(templates: dict[str, str]) -> None:
    for text in templates.values():
        assert "{{resolve:" not in text
        assert not re.search(r"\b\d{12}\b", text)
