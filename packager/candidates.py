"""Which versions of a distribution have a wheel for edge, as the project's package indexes list them."""

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from packager.lock import Source, sources
from packager.model import Project
from packager.resolve import edge_platform

_TIMEOUT_SECONDS = 5.0
_JSON = "application/vnd.pypi.simple.v1+json"


def versions_for_edge(project: Project, name: str) -> tuple[str, ...]:
    """The released versions of `name` with a WebAssembly wheel for edge, oldest first.

    Empty too if no index answers soon: this is for hints, never for a decision. Pure wheels do not count: an old
    one of a compiled package is often a stub.
    """
    return _versions(sources(project), canonicalize_name(name))


@lru_cache(maxsize=256)
def _versions(places: tuple[Source, ...], name: str) -> tuple[str, ...]:
    tags = {tag for tag in edge_platform().tags if tag.platform != "any"}
    found = set()
    for file in _files(places, name):
        with suppress(InvalidWheelFilename):
            project, version, _, own = parse_wheel_filename(file)
            if project == name and not version.is_prerelease and tags.intersection(own):
                found.add(version)
    return tuple(str(version) for version in sorted(found))


def _files(places: Iterable[Source], name: str) -> Iterator[str]:
    import httpx  # noqa: PLC0415 - 100 ms that only an error needs

    for place in places:
        parts = urlsplit(place.url)
        if parts.scheme == "file" or not parts.scheme:
            folder = Path(url2pathname(parts.path)) / ("" if place.flat else name)
            with suppress(OSError):
                yield from (path.name for path in folder.iterdir())
            continue
        with suppress(httpx.HTTPError, httpx.InvalidURL):
            url = place.url if place.flat else f"{place.url.rstrip('/')}/{name}/"
            answer = httpx.get(
                url,
                headers={"accept": f"{_JSON}, text/html;q=0.1"},
                timeout=_TIMEOUT_SECONDS,
                follow_redirects=True,
            ).raise_for_status()
            # both the JSON and the HTML of the simple repository API spell the file names out (PEP 691, PEP 503)
            yield from (unquote(text) for text in re.findall(r"""[^"'/<>\s]+\.whl""", answer.text))
