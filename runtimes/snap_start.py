"""SnapStart: what differs between processes that Lambda restores from one snapshot.

Lambda freezes the process once, when a version is published, and starts every environment of that version from it.
Sources: docs.aws.amazon.com/lambda/latest/dg/snapstart-uniqueness.html, snapstart-runtime-hooks-python.html.
"""

from collections.abc import Callable

from runtimes.randomness import Generators, generators, reseed


def register(begin: Callable[[], None]) -> None:
    """Call `begin` after every restore, with fresh randomness. What it raises ends the environment.

    The managed runtime brings the module with the hooks; where it is absent, raises `ImportError`.
    """
    from snapshot_restore_py import (  # type: ignore[import-untyped]  # noqa: PLC0415 - only the managed runtime has it
        register_after_restore,
        register_before_snapshot,
    )

    found: Generators = []

    def before_snapshot() -> None:
        # Looked for here, since a restore is what a client waits for.
        found.extend(generators())

    def after_restore() -> None:
        reseed(found)
        begin()

    register_before_snapshot(before_snapshot)
    register_after_restore(after_restore)
