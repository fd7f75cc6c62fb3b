"""Draws who imports whom, from the import statements of the code, as an SVG that follows the page's colours."""

import ast
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from graphlib import TopologicalSorter
from pathlib import Path

import mkdocs_gen_files

ROOT = Path(__file__).parents[2]
ROOMS = ("packager", "infra", "runtimes")
WIDTH, HEIGHT, GAP_X, GAP_Y, MARGIN = 152, 46, 18, 58, 12

type Edges = Mapping[str, Mapping[str, int]]


def part_of(module: str) -> str:
    """The part of the house that a module is in: `packager.deploy`, or `packager` for its own modules."""
    parts = module.split(".")
    folder = ROOT / parts[0]
    inside = len(parts) > 1 and (folder / parts[1]).is_dir()
    return f"{parts[0]}.{parts[1]}" if inside else parts[0]


def modules() -> dict[str, Path]:
    """Every module of the rooms by its dotted name."""
    found = {}
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            if "projects" not in path.parts:
                name = path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".")
                found[name.removesuffix(".__init__")] = path
    return found


def imported(path: Path) -> Iterable[str]:
    """What a module imports of the rooms."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def edges(found: Mapping[str, Path]) -> Edges:
    """How many modules of a part import something of another one."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for name, path in found.items():
        own = part_of(name)
        others = {part_of(item) for item in imported(path) if item.partition(".")[0] in ROOMS}
        counts[own].update(others - {own})
    return counts


def downward(parts: Iterable[str], graph: Edges) -> dict[str, set[str]]:
    """The imports from above to below: of two parts that import each other, the one that does so more is above."""
    return {
        part: {
            other for other, count in graph.get(part, {}).items() if count > graph.get(other, {}).get(part, 0)
        }
        for part in parts
    }


def layers(below: Mapping[str, set[str]]) -> list[list[str]]:
    """The parts in rows: whoever imports stands above."""
    depth: dict[str, int] = {}
    for part in TopologicalSorter(below).static_order():
        depth[part] = 1 + max((depth[other] for other in below[part]), default=-1)
    rows: dict[int, list[str]] = defaultdict(list)
    for part in sorted(depth):
        rows[depth[part]].append(part)
    return [rows[number] for number in sorted(rows, reverse=True)]


def implied(below: Mapping[str, set[str]], part: str, other: str) -> bool:
    """Whether a way over further parts leads from a part to another as well."""
    waiting, seen = list(below[part] - {other}), set()
    while waiting:
        current = waiting.pop()
        if current == other:
            return True
        if current not in seen:
            seen.add(current)
            waiting += below[current]
    return False


def svg(found: Mapping[str, Path]) -> str:
    """The diagram."""
    graph = edges(found)
    linked = set(graph).union(*graph.values())
    sizes = Counter(part for part in map(part_of, found) if part in linked)
    below = downward(sorted(sizes), graph)
    rows = layers(below)
    width = 2 * MARGIN + max(len(row) * (WIDTH + GAP_X) - GAP_X for row in rows)
    height = 2 * MARGIN + len(rows) * (HEIGHT + GAP_Y) - GAP_Y
    places: dict[str, tuple[float, float]] = {}
    for level, row in enumerate(rows):
        left = (width - len(row) * (WIDTH + GAP_X) + GAP_X) / 2
        for number, part in enumerate(row):
            places[part] = (left + number * (WIDTH + GAP_X), MARGIN + level * (HEIGHT + GAP_Y))
    lines = [
        line(places[part], places[other], part, other, count)
        for part, others in sorted(graph.items())
        for other, count in sorted(others.items())
        if other not in below[part] or not implied(below, part, other)
    ]
    boxes = [box(part, sizes[part], *places[part]) for part in sorted(places)]
    title = "<title>Which part of the code imports which</title>"
    return "\n".join(
        [
            f'<svg class="house" viewBox="0 0 {width:g} {height:g}" role="img" xmlns="http://www.w3.org/2000/svg">',
            *(title, *lines, *boxes, "</svg>"),
        ]
    )


def line(start: tuple[float, float], end: tuple[float, float], part: str, other: str, count: int) -> str:
    """An import, from the bottom of the part that imports to the top of the other, thicker the more there are."""
    down = start[1] <= end[1]
    x1, y1 = start[0] + WIDTH / 2, start[1] + (HEIGHT if down else 0)
    x2, y2 = end[0] + WIDTH / 2, end[1] + (0 if down else HEIGHT)
    bend = (y2 - y1) / 2 if start[1] != end[1] else -GAP_Y / 2
    path = f"M{x1:g} {y1:g}C{x1:g} {y1 + bend:g} {x2:g} {y2 - bend:g} {x2:g} {y2:g}"
    return (
        f'<path class="{"down" if down else "up"}" d="{path}" stroke-width="{min(1 + count / 8, 4):g}">'
        f"<title>{part} imports {other}: {count} modules</title></path>"
    )


def box(part: str, size: int, x: float, y: float) -> str:
    """A part with the number of its modules."""
    middle = x + WIDTH / 2
    counted = f"{size} module{'' if size == 1 else 's'}"
    return (
        f'<g class="{part.partition(".")[0]}"><rect x="{x:g}" y="{y:g}" width="{WIDTH}" height="{HEIGHT}" rx="6"/>'
        f'<text x="{middle:g}" y="{y + 20:g}">{part}</text>'
        f'<text class="size" x="{middle:g}" y="{y + 36:g}">{counted}</text></g>'
    )


SOURCE = ROOT / "docs" / "architecture.md"
with mkdocs_gen_files.open("architecture.md", "w") as stream:
    stream.write(SOURCE.read_text(encoding="utf-8").replace("<!-- diagram -->", svg(modules())))
