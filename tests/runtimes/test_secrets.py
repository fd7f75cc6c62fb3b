"""Secrets at start, fetched by nodejs functions and by edge workers in the same way."""

import asyncio
import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from secret_stores import stores

from packager import node, pyodide
from runtimes import secrets

WORKER = Path(__file__).parents[2] / "runtimes" / "edge_worker"
SCRIPT = """
import { forApp } from "./environment.mjs";
const { PACKAGER_SECRETS, PACKAGER_SECRETS_REGION } = process.env;
const given = { PLAIN: "1", PACKAGER_SECRETS, PACKAGER_SECRETS_REGION };
forApp(given, process.env).then(
  (found) => console.log(JSON.stringify(found)),
  (error) => console.log(JSON.stringify({ error: error.message })),
);
"""

type Fetch = Callable[[dict[str, str]], dict[str, str]]
"""From the environment of a process to what the app sees, or to `error`."""


def by_python(environment: dict[str, str]) -> dict[str, str]:
    process = {"PLAIN": "1", **environment}
    try:
        secrets.load(process)
    except secrets.SecretError as error:
        return {"error": str(error)}
    added = process.keys() - environment.keys()
    return {name: process[name] for name in added}


@pytest.fixture(scope="module")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The modules of the edge worker, with the packages they are bundled with beside them."""
    folder = shutil.copytree(WORKER, tmp_path_factory.mktemp("worker") / "edge_worker")
    (folder / "node_modules").symlink_to(pyodide.fetch(print) / "node_modules", target_is_directory=True)
    (folder / "script.mjs").write_text(SCRIPT)
    return folder


@pytest.fixture(params=["nodejs", "edge"])
def fetch(request: pytest.FixtureRequest) -> Fetch:
    if request.param == "nodejs":
        return by_python
    folder = request.getfixturevalue("worker")

    def by_javascript(environment: dict[str, str]) -> dict[str, str]:
        words = [str(node.node()), "script.mjs"]
        done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        assert done.stdout, done.stderr
        found: dict[str, str] = json.loads(done.stdout)
        return found

    return by_javascript


def given(references: dict[str, str], **more: str) -> dict[str, str]:
    return {secrets.VARIABLE: json.dumps(references), **more}


def test_parameters_and_secrets_become_variables(fetch: Fetch) -> None:
    values = {"/shop/dev/key": "s3cret", "plain": "ü"}
    document = json.dumps({"url": "postgres://", "port": 5432, "tls": {"on": True}})
    with stores(values, {"prod/db": document, "token": "whole text"}) as made:
        references = {
            "KEY": "ssm:/shop/dev/key",
            "PLAIN_NAME": "ssm:plain",
            "URL": "secretsmanager:prod/db#url",
            "PORT": "secretsmanager:prod/db#port",
            "TLS": "secretsmanager:prod/db#tls",
            "TOKEN": "secretsmanager:token",
        }
        assert fetch(given(references, **made.environment)) == {
            "PLAIN": "1",
            "KEY": "s3cret",
            "PLAIN_NAME": "ü",
            "URL": "postgres://",
            "PORT": "5432",
            "TLS": '{"on":true}',
            "TOKEN": "whole text",
        }
        # each secret is asked for once, all parameters at once
        assert sorted(target for target, _, _ in made.calls) == [
            "AmazonSSM.GetParameters",
            "secretsmanager.GetSecretValue",
            "secretsmanager.GetSecretValue",
        ]


def test_a_call_asks_for_ten_parameters_at_most(fetch: Fetch) -> None:
    values = {f"/p/{number}": str(number) for number in range(23)}
    with stores(values) as made:
        references = {f"P_{number}": f"ssm:/p/{number}" for number in range(23)}
        found = fetch(given(references, **made.environment))
        assert {found[f"P_{number}"] for number in range(23)} == set(values.values())
        assert sorted(len(body["Names"]) for _, _, body in made.calls) == [3, 10, 10]


def test_the_stores_region_may_be_another_than_the_functions(fetch: Fetch) -> None:
    arn = "arn:aws:secretsmanager:ap-south-1:123456789012:secret:far-AbCdEf"
    with stores({"/a": "1"}, {arn: '{"k":"2"}'}) as made:
        references = {"A": "ssm:/a", "FAR": f"secretsmanager:{arn}#k"}
        region = {secrets.REGION_VARIABLE: "eu-north-1"}
        found = fetch({**given(references), **region, **made.environment})
        assert (found["A"], found["FAR"]) == ("1", "2")
        assert {region for _, region, _ in made.calls} == {"eu-north-1", "ap-south-1"}


def test_what_fails_is_named_with_its_place_and_its_cause_and_no_value(fetch: Fetch) -> None:
    texts = {"db": '{"url": "SECRETVALUE"}', "text": "SECRETVALUE", "bytes": None}
    with stores({"/known": "SECRETVALUE"}, texts) as made:
        references = {
            "KNOWN": "ssm:/known",
            "GONE": "ssm:/gone",
            "DENIED": "secretsmanager:other",
            "KEY": "secretsmanager:db#password",
            "TEXT": "secretsmanager:text#key",
            "BYTES": "secretsmanager:bytes",
        }
        error = fetch(given(references, **made.environment))["error"]
    assert error == (
        "secrets could not be fetched: GONE (ssm:/gone): there is no such parameter; "
        "DENIED (secretsmanager:other): AccessDeniedException: not authorized to read it; "
        "KEY (secretsmanager:db#password): it has no key password; "
        "TEXT (secretsmanager:text#key): it is not JSON; BYTES (secretsmanager:bytes): it is binary, not text"
    )


def test_a_failure_that_may_pass_is_tried_again_once(fetch: Fetch) -> None:
    with stores({"/a": "1"}) as made:
        made.failures = 1
        assert fetch(given({"A": "ssm:/a"}, **made.environment))["A"] == "1"
        made.failures = 2
        error = fetch(given({"A": "ssm:/a"}, **made.environment))["error"]
    assert error == "secrets could not be fetched: A (ssm:/a): InternalServerError"


def test_wrong_credentials_are_told_in_the_services_words(fetch: Fetch) -> None:
    with stores({"/a": "1"}) as made:
        environment = {**made.environment, "AWS_SECRET_ACCESS_KEY": "other"}
        assert (
            "InvalidSignatureException: the signature is wrong"
            in fetch(given({"A": "ssm:/a"}, **environment))["error"]
        )


def test_a_store_that_is_not_reached_is_no_hang(fetch: Fetch) -> None:
    with stores() as made:
        environment = made.environment
    error = fetch(given({"A": "ssm:/a"}, **environment))["error"]
    assert error.startswith("secrets could not be fetched: A (ssm:/a): ")
    assert "refused" in error.lower()


def test_a_process_without_credentials_says_so_or_asks_where_it_is_told(fetch: Fetch) -> None:
    with stores({"/a": "1"}) as made:
        bare = {name: made.environment[name] for name in ("AWS_ENDPOINT_URL", "AWS_REGION")}
        assert "no credentials in its environment" in fetch(given({"A": "ssm:/a"}, **bare))["error"]
        told = {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{made.url}/role",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN": "pass",
        }
        assert fetch(given({"A": "ssm:/a"}, **bare, **told))["A"] == "1"


def test_endpoints_of_their_own_go_before_the_common_one(fetch: Fetch) -> None:
    with stores({"/a": "1"}) as one, stores(None, {"b": "2"}) as two:
        own = {"AWS_ENDPOINT_URL_SSM": one.url, "AWS_ENDPOINT_URL_SECRETS_MANAGER": two.url}
        environment = {**one.environment, "AWS_ENDPOINT_URL": "http://127.0.0.1:1", **own}
        found = fetch(given({"A": "ssm:/a", "B": "secretsmanager:b"}, **environment))
    assert (found["A"], found["B"]) == ("1", "2")


def test_without_secrets_nothing_is_asked(fetch: Fetch) -> None:
    assert fetch({}) == {"PLAIN": "1"}
    assert fetch(given({})) == {"PLAIN": "1"}


def test_a_reference_to_no_store_is_refused(fetch: Fetch) -> None:
    with stores() as made:
        environment = given({"A": "vault:x"}, **made.environment)
        if fetch is by_python:
            with pytest.raises(secrets.SecretError, match="A: vault:x names no secret"):
                secrets.load(environment)
        else:
            assert "A: vault:x names no secret" in fetch(environment)["error"]


def test_the_event_loop_of_the_thread_stays_as_it_is() -> None:
    with stores({"/a": "1"}) as made, asyncio.Runner() as runner:
        loop = runner.get_loop()
        secrets.load(given({"A": "ssm:/a"}, **made.environment))
        assert not loop.is_closed()
    assert "A" not in os.environ
