"""`web-function`: edge routes in Pyodide in an HTTP server on Lambda Web Functions, which start `index.js`."""

from pathlib import Path

from infra.manifest import Runtime
from packager import edge_artifact
from packager.bundle import Contents
from packager.targets import Artifact, Report

NAME = "web-function"
RUNTIME: Runtime = "edge"
HANDLER = "index.js"
ON_API = False
DISTRIBUTIONS = edge_artifact.DISTRIBUTIONS
OMITTED = edge_artifact.OMITTED

artifact = edge_artifact.artifact
folder = edge_artifact.folder


def bundle(contents: Contents, out: Path, report: Report) -> Artifact:
    """Write the worker's folder and its zip; see `edge_artifact.bundle`."""
    return edge_artifact.bundle(
        contents, out, report, {"index.js": "web_function_index.cjs", "web_function.mjs": "web_function.mjs"}
    )
