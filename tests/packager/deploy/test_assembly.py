import json

import pytest

from packager.deploy.assembly import read
from packager.errors import ToolError


def changed(folder, name, change):
    path = folder / name
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))
    return folder


def stack(name, *needs, region="eu-central-1"):
    return {
        "type": "aws:cloudformation:stack",
        "environment": f"aws://unknown-account/{region}",
        "properties": {"templateFile": "shop-prod-api.template.json", "stackName": name},
        "dependencies": ["shop-prod-api.assets", *needs],
    }


def test_a_stack_has_its_template_its_files_and_its_tags(made_assembly):
    folder = made_assembly({"api.zip": b"code"}, nested='{"Resources": {}}')
    (found,) = read(folder).stacks
    assert (found.name, found.region, found.tags) == (
        "shop-prod-api",
        "eu-central-1",
        (("packager:app", "shop"),),
    )
    assert found.template.path == folder / "shop-prod-api.template.json"
    assert [(item.path.name, item.is_template) for item in found.assets] == [
        ("api.zip", False),
        ("Nested.nested.template.json", True),
        ("shop-prod-api.template.json", True),
    ]
    assert found.assets[0].key == f"{found.assets[0].sha256}.zip"
    assert found.assets[0].bucket_template == "cdk-hnb659fds-assets-${AWS::AccountId}-eu-central-1"


def test_a_hash_that_is_of_more_than_the_file_is_not_taken_for_the_files(made_assembly):
    api, nested, template = read(made_assembly({"api.zip": b"code"}, nested="{}")).stacks[0].assets
    assert (api.sha256, nested.sha256, template.sha256) == (api.hash, None, template.hash)


def test_no_stack_comes_before_one_that_it_depends_on(made_assembly):
    def change(document):
        document["artifacts"] |= {
            "ops": stack("shop-prod-ops", "edge", "shop-prod-api"),
            "edge": stack("shop-prod-edge", "shop-prod-api", region="us-east-1"),
        }

    found = read(changed(made_assembly(), "manifest.json", change)).stacks
    assert [row.name for row in found] == ["shop-prod-api", "shop-prod-edge", "shop-prod-ops"]
    assert found[2].depends_on == ("shop-prod-edge", "shop-prod-api")
    assert found[1].region == "us-east-1"


def test_stacks_that_wait_for_each_other_are_refused(made_assembly):
    def change(document):
        document["artifacts"] |= {"a": stack("a", "b"), "b": stack("b", "a")}

    with pytest.raises(ToolError, match="wait for each other: a, b"):
        read(changed(made_assembly(), "manifest.json", change))


def test_a_folder_without_an_assembly_is_told_how_to_get_one(tmp_path):
    with pytest.raises(ToolError, match=r"manifest\.json is missing") as caught:
        read(tmp_path)
    assert "packager synth" in caught.value.hint


def test_an_older_format_is_refused_and_a_newer_one_read(made_assembly):
    folder = made_assembly()
    assert read(changed(folder, "manifest.json", lambda row: row.update(version="61.2.0"))).stacks
    with pytest.raises(ToolError, match=r"format is 36\.0\.0"):
        read(changed(folder, "manifest.json", lambda row: row.update(version="36.0.0")))


@pytest.mark.parametrize(
    "text", ["", "[]", '{"version": 55}', '{"version": "55.0.0", "artifacts": {"a": {}}}']
)
def test_what_is_no_manifest_is_refused(made_assembly, text):
    folder = made_assembly()
    (folder / "manifest.json").write_text(text)
    with pytest.raises(ToolError, match="no cloud assembly that can be deployed"):
        read(folder)


def test_a_missing_file_is_named(made_assembly):
    folder = made_assembly({"api.zip": b"code"})
    (folder / "api.zip").unlink()
    with pytest.raises(ToolError, match=r"incomplete: .*api\.zip is missing"):
        read(folder)


@pytest.mark.parametrize("place", ["../secret", "/etc/hostname", "link"])
def test_a_file_outside_the_folder_is_refused(made_assembly, place, tmp_path):
    folder = made_assembly({"api.zip": b"code"})
    (tmp_path / "secret").write_text("secret")
    (folder / "link").symlink_to(tmp_path / "secret")

    def change(document):
        next(iter(document["files"].values()))["source"]["path"] = place

    with pytest.raises(ToolError, match="outside its folder"):
        read(changed(folder, "shop-prod-api.assets.json", change))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda row: row.update(dockerImages={"a": {}}), "container images"),
        (lambda row: next(iter(row["files"].values()))["source"].update(packaging="zip"), "is not a file"),
    ],
)
def test_what_only_the_cdk_deploys_is_refused(made_assembly, change, said):
    folder = changed(made_assembly({"api.zip": b"code"}), "shop-prod-api.assets.json", change)
    with pytest.raises(ToolError, match=said):
        read(folder)
