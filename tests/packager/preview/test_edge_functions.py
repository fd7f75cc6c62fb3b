"""Functions in Node, started by a real Node."""

import asyncio
import json
from pathlib import Path

from packager.node import node
from packager.preview.edge_functions import NodeFunction
from packager.preview.lambda_outcome import Result
from packager.preview.template import Place
from packager.preview.topology import FunctionConfig

MEMORY = 128
SEMI_SPACES = 2
LARGEST_SEMI_SPACE = 8 * 2**20
"""5 % of the memory, rounded up to a power of two as V8 does."""

HANDLER = """
import { getHeapSpaceStatistics } from "node:v8";

export function handler({ kilobytes }) {
  let kept = [];
  for (let made = 0; made < kilobytes; made += 1) {
    if (kept.length > 20_000) kept = [];
    kept.push(new Array(128).fill(made));
  }
  return getHeapSpaceStatistics().find((space) => space.space_name === "new_space").space_size;
}
"""


def young_space(folder: Path, environment: dict[str, str]) -> int:
    """The bytes that V8 has for young objects in a function that has made 400 MB of them."""
    (folder / "index.mjs").write_text(HANDLER)
    place = Place("stack", "function")
    config = FunctionConfig(
        place, "f", "f", "function", folder, "nodejs24.x", "index.handler", MEMORY, 30, environment
    )

    async def run() -> int:
        function = NodeFunction(config, node(), folder, environment, lambda line: None)
        try:
            outcome = await function.invoke(json.dumps({"kilobytes": 400_000}).encode())
        finally:
            await function.close()
        assert isinstance(outcome, Result)
        return int(json.loads(outcome.payload))

    return asyncio.run(run())


def test_young_objects_take_no_more_than_lambda_gives_them(tmp_path: Path) -> None:
    assert young_space(tmp_path, {}) <= SEMI_SPACES * LARGEST_SEMI_SPACE


def test_node_options_of_the_project_hold_instead(tmp_path: Path) -> None:
    space = young_space(tmp_path, {"NODE_OPTIONS": "--max_semi_space_size=1"})
    assert space <= SEMI_SPACES * 2**20
