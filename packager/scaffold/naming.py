"""The name of a new project, made of what its folder is called."""

import re
import unicodedata

from packager.errors import UsageError

_VALID = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")
"""PEP 508, "Names"."""


def project_name(wanted: str | None, folder: str) -> str:
    """`wanted` if it is a valid name, else one made of the name of the folder: `My Shop!` gives `my-shop`.

    Raises `UsageError` if `wanted` is given and is not a name of a distribution (PEP 508).
    """
    if wanted is None:
        plain = unicodedata.normalize("NFKD", folder).encode("ascii", "ignore").decode()
        return re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-") or "app"
    if not _VALID.fullmatch(wanted):
        raise UsageError(
            f"{wanted!r} is no name for a project",
            hint=f"Letters, digits, and - _ . between them: --name {project_name(None, wanted)}",
        )
    return wanted
