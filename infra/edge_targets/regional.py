"""`regional`: edge functions are functions behind the HTTP API like any other; the API stack has them."""

from infra.edge_targets import Reached, Setting
from infra.manifest import Function

NAME = "regional"
OWN_BUCKET = False


def reach(setting: Setting, function: Function) -> Reached:  # noqa: ARG001 - as `EdgeTarget` has it
    """At the API's host."""
    return Reached()
