"""The cloud assembly: what is written, in which order, the same every time, and movable."""

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from manifests import manifest_of, route, written
from stacks import SHOP, read, synthesized

from infra import assembly
from infra.errors import StackError
from infra.stage import Stage

EVERYTHING = manifest_of(SHOP.routes, values=SHOP.environment.values, references=SHOP.environment.references)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_the_stacks_are_listed_in_the_order_in_which_they_are_deployed(tmp_path: Path) -> None:
    built = written(EVERYTHING, tmp_path / "build")
    stage = Stage("dev", region="eu-west-1")
    made = assembly.synth(built, stage, tmp_path / "build", tmp_path / "out")
    assert [(row.name, row.region) for row in made.stacks] == [
        ("shop-dev-api", "eu-west-1"),
        ("shop-dev-edge", "us-east-1"),
        ("shop-dev-ops", "eu-west-1"),
    ]
    assert made.folder == tmp_path / "out"
    artifacts = read(made.folder / "manifest.json")["artifacts"]
    assert "shop-dev-api" in artifacts["shop-dev-edge"]["dependencies"]
    assert {"shop-dev-api", "shop-dev-edge"} <= set(artifacts["shop-dev-ops"]["dependencies"])
    assert artifacts["shop-dev-api"]["environment"] == "aws://unknown-account/eu-west-1"


def test_without_cdn_there_is_no_edge_stack(tmp_path: Path) -> None:
    built = written(SHOP, tmp_path / "build")
    made = assembly.synth(built, Stage("dev", cdn=False), tmp_path / "build", tmp_path / "out")
    assert [row.name for row in made.stacks] == ["shop-dev-api", "shop-dev-ops"]


def test_the_summary_counts_what_was_written_and_says_why(tmp_path: Path) -> None:
    built = written(SHOP, tmp_path / "build")
    made = assembly.synth(built, Stage("dev"), tmp_path / "build", tmp_path / "out")
    for stack in made.stacks:
        template = read(made.folder / f"{stack.name}.template.json")
        assert sum(row.count for row in stack.resources) == len(template["Resources"])
        assert [row.type for row in stack.resources if not row.why] == []
    counts = {row.type: row.count for row in made.stacks[0].resources}
    assert counts["AWS::Lambda::Function"] == 3


def test_equal_input_gives_equal_bytes_in_any_folder(tmp_path: Path) -> None:
    stage = Stage("dev")
    first = synthesized(tmp_path / "one", EVERYTHING, stage)
    again = synthesized(tmp_path / "far" / "away" / "two", EVERYTHING, stage)
    assert contents(first.folder) == contents(again.folder)


def test_no_file_names_this_machine(tmp_path: Path) -> None:
    folder = synthesized(tmp_path, EVERYTHING, Stage("dev")).folder
    texts = [path.read_text() for path in folder.iterdir() if path.suffix != ".zip"]
    assert texts
    assert not any(str(tmp_path) in text for text in texts)


def test_every_asset_lies_in_the_assembly(tmp_path: Path) -> None:
    folder = synthesized(tmp_path, EVERYTHING, Stage("dev")).folder
    for assets in folder.glob("*.assets.json"):
        for row in read(assets)["files"].values():
            assert (folder / row["source"]["path"]).is_file()
            assert not Path(row["source"]["path"]).is_absolute()


def test_no_template_asks_for_a_bootstrap_version(tmp_path: Path) -> None:
    for template in synthesized(tmp_path).templates().values():
        assert "BootstrapVersion" not in template.get("Parameters", {})
        assert "Rules" not in template


def test_stacks_are_tied_by_nothing_that_keeps_one_from_being_deleted(tmp_path: Path) -> None:
    for template in synthesized(tmp_path, EVERYTHING, Stage("dev")).templates().values():
        assert "Fn::ImportValue" not in json.dumps(template)
        assert not any("Export" in row for row in template.get("Outputs", {}).values())


def test_deletion_is_refused_where_the_stage_says_so(tmp_path: Path) -> None:
    folder = synthesized(tmp_path, EVERYTHING, Stage("dev", termination_protection=True)).folder
    artifacts = read(folder / "manifest.json")["artifacts"]
    protected = {
        name: row["properties"]["terminationProtection"]
        for name, row in artifacts.items()
        if row["type"] == "aws:cloudformation:stack"
    }
    assert protected == {"shop-dev-api": True, "shop-dev-edge": True, "shop-dev-ops": True}


def test_faults_are_found_before_anything_is_written(tmp_path: Path) -> None:
    built = written(SHOP, tmp_path / "build")
    (tmp_path / "build" / "functions" / "api.zip").unlink()
    with pytest.raises(StackError):
        assembly.synth(built, Stage("dev"), tmp_path / "build", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_cdk_runs_on_the_node_that_pip_installed_and_says_nothing(tmp_path: Path) -> None:
    built = written(manifest_of([route("/x", "api")]), tmp_path / "build")
    build, out = tmp_path / "build", tmp_path / "out"
    (tmp_path / "manifest.py").write_text(
        "import os\nfrom pathlib import Path\nfrom infra import assembly, manifest\nfrom infra.stage import Stage\n"
        f"built = manifest.from_json(Path({str(tmp_path / 'm.json')!r}).read_text())\n"
        f"assembly.synth(built, Stage('dev'), Path({str(build)!r}), Path({str(out)!r}))\n"
        "assert 'JSII_NODE' not in os.environ\n",
        encoding="utf-8",
    )
    from infra import manifest  # noqa: PLC0415

    (tmp_path / "m.json").write_text(manifest.to_json(built), encoding="utf-8")
    environment = {name: value for name, value in os.environ.items() if name != "JSII_NODE"}
    environment["PATH"] = ""
    environment["PYTHONPATH"] = str(Path(assembly.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, str(tmp_path / "manifest.py")],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    assert done.returncode == 0
    assert (out / "shop-dev-api.template.json").is_file()


def test_a_stage_named_after_a_branch_makes_legal_names(tmp_path: Path) -> None:
    stacks = synthesized(tmp_path, SHOP, dataclasses.replace(Stage("dev"), name="feature/x-1", cdn=False))
    row = stacks.template("shop-feature-x-1-api")["Resources"]["ApiFunction"]
    assert row["Properties"]["FunctionName"] == "shop-feature-x-1-api"
