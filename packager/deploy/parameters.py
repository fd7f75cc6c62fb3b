"""What a stack is given when it is created or updated: the values of its template's parameters."""

import secrets
from collections.abc import Mapping
from typing import Any

from packager.deploy.deployed import Deployed

ORIGIN_KEY = "OriginKey"
"""What CloudFront sends to be let in; see `infra.api_stack`."""

_KEY_BYTES = 32


def parameters(template: Mapping[str, Any], deployed: Deployed | None) -> list[dict[str, Any]]:
    """The `Parameters` of CreateChangeSet for a template, as a document, and the stack that is there, if one is.

    What the stack has been given it keeps; nobody but CloudFormation knows it. A new origin key is made of random
    bytes. Every other parameter has its default.
    """
    rows: list[dict[str, Any]] = []
    for name in template.get("Parameters", {}):
        if deployed and name in deployed.parameters:
            rows.append({"ParameterKey": name, "UsePreviousValue": True})
        elif name == ORIGIN_KEY:
            rows.append({"ParameterKey": name, "ParameterValue": secrets.token_hex(_KEY_BYTES)})
    return rows
