"""Builders of small manifests, made of real values, and of the zips that fit them."""

import dataclasses
import hashlib
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from infra.manifest import AppInfo, Environment, Function, Manifest, Middleware, Param, Route, Site
from runtimes.routing import segments


def route(
    path: str, function: str | None = None, runtime: str = "nodejs", *methods: str, **more: Any
) -> Route:
    """A route; without a function it is in the shared one of its runtime, `api` or `edge`."""
    params = tuple(Param(part.text, part.kind) for part in segments(path) if part.kind != "static")
    defaults: dict[str, Any] = {
        "file": f"app{'' if path == '/' else path}/route.py",
        "methods": tuple(sorted(methods)) or ("GET", "HEAD", "OPTIONS"),
        "declared_runtime": runtime,
        "max_duration": 30,
        "memory": 256 if runtime == "edge" else 512,
        "max_body_size": 2**20,
        "reason": "shared",
    }
    shared = "edge" if runtime == "edge" else "api"
    return Route(
        path=path, runtime=runtime, params=params, function=function or shared, **{**defaults, **more}
    )


def function(name: str, runtime: str = "nodejs", target: str = "lambda-edge", **more: Any) -> Function:
    """A function; `target` counts for edge only. Its hash is that of no file: see `written`."""
    edge = runtime == "edge"
    defaults: dict[str, Any] = {
        "target": target if edge else "lambda",
        "artifact": f"edge/{name}.zip" if edge else f"functions/{name}.zip",
        "sha256": hashlib.sha256(name.encode()).hexdigest(),
        "zip_bytes": 1000,
        "unpacked_bytes": 3000,
        "handler": "index.handler" if edge else "_packager.handler",
        "distributions": (),
        "max_duration": 30,
        "memory": 256 if edge else 512,
        "python": None if edge else "3.13",
        "architecture": None if edge else "arm64",
        "folder": f"edge/{name}" if edge else None,
    }
    return Function(name=name, runtime=runtime, **{**defaults, **more})


def manifest_of(
    routes: Iterable[Route],
    *,
    functions: Iterable[Function] = (),
    target: str = "lambda-edge",
    name: str = "shop",
    middleware: Iterable[Middleware] = (),
    values: dict[str, str] | None = None,
    references: dict[str, str] | None = None,
    site: Site | None = None,
) -> Manifest:
    """A manifest of these routes; the functions that they name and that are not given are made.

    A function has all of the `middleware`. `target` is that of the edge functions made.
    """
    routes, guards = tuple(routes), tuple(middleware)
    given = {item.name: item for item in functions}
    files = tuple(item.file for item in guards)
    for row in routes:
        if row.function not in given:
            given[row.function] = function(row.function, row.runtime, target, middleware=files)
    values, references = values or {}, references or {}
    return Manifest(
        app=AppInfo(name, "app"),
        routes=routes,
        middleware=guards,
        functions=tuple(given[key] for key in sorted(given)),
        environment=Environment(tuple(sorted(values)), tuple(sorted(references)), values, references),
        site=site or Site(),
    )


def written(manifest: Manifest, build: Path) -> Manifest:
    """Write a small zip for every function into `build`; the manifest with their hashes."""
    rows = []
    for row in manifest.functions:
        path = build / row.artifact
        path.parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(
                zipfile.ZipInfo("index.mjs" if row.runtime == "edge" else "handler.py"), row.name
            )
        rows.append(dataclasses.replace(row, sha256=hashlib.sha256(path.read_bytes()).hexdigest()))
    return dataclasses.replace(manifest, functions=tuple(rows))
