"""How edge functions run and how the distribution reaches them: one module for each target, found here by name.

An edge target is any module of this package that satisfies `EdgeTarget`; adding one touches nothing else.
"""

import pkgutil
from dataclasses import dataclass
from importlib import import_module
from typing import Protocol, cast

import aws_cdk as cdk

from infra.api_stack import Api
from infra.errors import Fault, StackError
from infra.functions import Source
from infra.manifest import Function


@dataclass(frozen=True, slots=True)
class Setting:
    """Where an edge target adds to: the edge stack, what it is made from, and the API behind the distribution."""

    stack: cdk.Stack
    source: Source
    api: Api


@dataclass(frozen=True, slots=True)
class Reached:
    """How a function is reached: at a `host` of its own, else at the API's.

    `version` is the ARN of the Lambda@Edge version that answers, or lets pass, what goes to that host.
    """

    host: str | None = None
    version: str | None = None


class EdgeTarget(Protocol):
    """A module that makes what one kind of edge function needs.

    `NAME` is what the manifest calls the target. `OWN_BUCKET`: its code is read from the stage's `code_bucket`.
    """

    NAME: str
    OWN_BUCKET: bool

    def reach(self, setting: Setting, function: Function) -> Reached:
        """Add the function to the edge stack, and tell how it is reached. Raises `StackError` if it cannot be made."""


def find(name: str) -> EdgeTarget:
    """The edge target of that name. Raises `StackError` if there is none."""
    modules = (import_module(f"{__name__}.{found.name}") for found in pkgutil.iter_modules(__path__))
    targets = {target.NAME: target for target in (cast("EdgeTarget", module) for module in modules)}
    if name not in targets:
        raise StackError(
            [
                Fault(
                    f"no stack can be made for edge functions of the target {name!r}",
                    hint=f"The edge targets on AWS are: {', '.join(sorted(targets))}.",
                    place="tool.packager.edge.target",
                )
            ]
        )
    return targets[name]
