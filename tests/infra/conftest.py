"""Builds on disk for the stacks; the manifests are made with `manifests.route`, `function` and `manifest_of`."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from manifests import written

from infra.manifest import Manifest
from packager.node import node

# Read when aws_cdk is first imported, which test modules do.
os.environ.setdefault("JSII_NODE", str(node()))

type WriteBuild = Callable[[Manifest], tuple[Manifest, Path]]


@pytest.fixture
def write_build(tmp_path: Path) -> WriteBuild:
    """Write the zips of a manifest: gives the manifest with their hashes, and the build's folder."""

    def write(manifest: Manifest) -> tuple[Manifest, Path]:
        build = tmp_path / "build"
        return written(manifest, build), build

    return write
