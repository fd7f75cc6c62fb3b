"""The document as TypeScript: its types by openapi-typescript, and a client of openapi-fetch that has them."""

import hashlib
import json
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from packager import node, npm_set
from packager.cache import derived_dir
from packager.openapi.parameters import CATCH_ALL
from packager.pyodide import LOCK_FOLDER

SCHEMA = "schema.ts"
CLIENT = "client.ts"

_SET = "types"
_SCRIPT = LOCK_FOLDER / _SET / "generate.mjs"
_TIMEOUT_SECONDS = 120
_HEAD = "// Made by `packager types` of the routes: change those and run it again.\n"
_CLIENT = """\
import createClient, {{ type Client, type ClientOptions{imports} }} from "openapi-fetch";
import type {{ paths }} from "./schema.js";

export type Api = Client<paths>;

/** A client of the API; `options` are those of openapi-fetch. */
export function createApi(options: ClientOptions = {{}}): Api {{
  return createClient<paths>({{ baseUrl: {base},{own} ...options }});
}}
"""
_SERIALIZER = """
/** Paths that end with a parameter of several segments, and its name. */
const SEGMENTS: [path: string, name: string][] = [
ROWS
];

function pathSerializer(pathname: string, params: Record<string, unknown>): string {
  const [, name] = SEGMENTS.find(([path]) => pathname.endsWith(path)) ?? [];
  if (name === undefined) return defaultPathSerializer(pathname, params);
  const segments = String(params[name]).split("/").map(encodeURIComponent).join("/");
  return defaultPathSerializer(pathname.replace(`{${name}}`, segments), params);
}
"""


def schema(document: str, report: Callable[[str], None]) -> str:
    """The text of `schema.ts`, which exports `paths`, for the text of a document.

    An answer is kept in the user's cache. Raises `ToolError` if openapi-typescript cannot be had, or fails.
    """
    recipe = _SCRIPT.read_bytes() + (_SCRIPT.parent / "package-lock.json").read_bytes()
    key = hashlib.sha256(hashlib.sha256(recipe).digest() + document.encode()).hexdigest()
    kept = derived_dir() / "types" / f"{key}.ts"
    try:
        return kept.read_text(encoding="utf-8")
    except FileNotFoundError:
        made = _HEAD + _generated(
            document, npm_set.installed(_SET, LOCK_FOLDER / _SET, "openapi-typescript", report)
        )
    kept.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=kept.parent, delete=False, encoding="utf-8") as file:
        file.write(made)
    Path(file.name).replace(kept)
    return made


def _generated(document: str, modules: Path) -> str:
    with tempfile.TemporaryDirectory(prefix="packager-types-") as name:
        area = Path(name)
        source, target, script = area / "openapi.json", area / SCHEMA, area / _SCRIPT.name
        source.write_text(document, encoding="utf-8")
        script.write_bytes(_SCRIPT.read_bytes())
        node.run(
            script,
            [modules, source, target],
            access=node.Access((area, modules), (area,)),
            timeout=_TIMEOUT_SECONDS,
            failure="openapi-typescript cannot make TypeScript of the document",
            hint="Remove the folder npm-types-… of the user's cache, and run the command again.",
        )
        return target.read_text(encoding="utf-8")


def client(document: Mapping[str, Any]) -> str:
    """The text of `client.ts`: openapi-fetch with the types of `schema.ts`, for the server that the document names.

    openapi-fetch escapes a path parameter as a whole, and one that takes several segments is to keep its slashes.
    """
    base = json.dumps(document["servers"][0]["url"].rstrip("/"))
    several = [
        f"  [{json.dumps(path)}, {json.dumps(parameter['name'])}],"
        for path, item in document["paths"].items()
        for parameter in next(iter(item.values())).get("parameters", ())
        if parameter.get(CATCH_ALL)
    ]
    if not several:
        return _HEAD + _CLIENT.format(imports="", base=base, own="")
    rows = "\n".join(several)
    made = _CLIENT.format(imports=", defaultPathSerializer", base=base, own=" pathSerializer,")
    return _HEAD + made + _SERIALIZER.replace("ROWS", rows)
