"""`regional`: edge routes in Pyodide in a Node function on AWS Lambda, behind the HTTP API."""

from pathlib import Path

from infra.manifest import Runtime
from packager import edge_artifact
from packager.bundle import Contents
from packager.targets import Artifact, Report

NAME = "regional"
RUNTIME: Runtime = "edge"
HANDLER = "index.handler"
ON_API = True
DISTRIBUTIONS = edge_artifact.DISTRIBUTIONS
OMITTED = edge_artifact.OMITTED

artifact = edge_artifact.artifact
folder = edge_artifact.folder


def bundle(contents: Contents, out: Path, report: Report) -> Artifact:
    """Write the worker's folder and its zip; see `edge_artifact.bundle`."""
    return edge_artifact.bundle(contents, out, report, {"index.mjs": "regional.mjs"})
