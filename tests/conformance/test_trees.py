import json
from pathlib import Path

import pytest

from packager.examine import examine
from packager.grouping import rows

TREES = Path(__file__).parents[3] / "shared" / "conformance" / "trees.json"

if not TREES.is_file():
    pytest.skip("the conformance suite is not beside the repository", allow_module_level=True)


@pytest.mark.parametrize(
    "tree",
    [pytest.param(tree, id=tree["name"]) for tree in json.loads(TREES.read_text())],
)
def test_tree(tree, write):
    root = write({"pyproject.toml": '[project]\nname = "tree"\nversion = "0"\n', **tree["files"]})
    examination = examine(root)
    found = [(item.rule, item.file, item.severity) for item in examination.diagnostics]
    for wanted in tree["expect"].get("rules", ()):
        files = wanted["file"] if isinstance(wanted["file"], list) else [wanted["file"]]
        severity = wanted.get("severity", "error")
        assert any((wanted["rule"], file, severity) in found for file in files), found
    if "routes" in tree["expect"]:
        assert [item for item in found if item[2] == "error"] == []
        table = {row.path: sorted(row.methods) for row in rows(examination.app)}
        assert table == {row["path"]: sorted(row["methods"]) for row in tree["expect"]["routes"]}
