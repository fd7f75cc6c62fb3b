"""The cloud assembly of the sample app as CDK wrote it, with small functions for code, to be changed by tests."""

import hashlib
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

GOLDEN = Path(__file__).parent / "infra" / "golden"
API, EDGE = "sample-app-prod-api", "sample-app-prod-edge"
REGIONS = {API: "eu-central-1", EDGE: "us-east-1"}

PYTHON = """
import json, os, time
from urllib.parse import unquote

count = 0

def handler(event, context):
    global count
    count += 1
    headers = {"content-type": "application/json"}
    query = dict(part.partition("=")[::2] for part in unquote(event["rawQueryString"]).split("&"))
    if event["headers"].get("x-packager-origin-key") != os.environ.get("PACKAGER_ORIGIN_KEY"):
        return {"statusCode": 403, "headers": headers, "body": '{"message":"Forbidden"}'}
    if "sleep" in query:
        time.sleep(float(query["sleep"]))
    for name in ("cache-control", "etag", "x-frame-options"):
        if name in query:
            headers[name] = query[name]
    if query.get("etag") and event["headers"].get("if-none-match") == query["etag"]:
        return {"statusCode": 304, "headers": headers}
    seen = {"function": context.function_name, "memory": context.memory_limit_in_mb, "count": count,
            "environment": dict(os.environ), "event": event}
    return {"statusCode": int(query.get("status", 200)), "headers": headers, "body": json.dumps(seen)}
"""

EDGE_WORKER = """
import { readFileSync } from "node:fs";

const variables = JSON.parse(readFileSync(new URL("environment.json", import.meta.url), "utf8"));
let count = 0;

export async function handler(event) {
  count += 1;
  const { request, config } = event.Records[0].cf;
  const action = request.querystring.split("=")[0];
  if (action === "pass") return request;
  if (action === "other") return { ...request, uri: "/api/node-example" };
  if (action === "header") return { status: "200", headers: { "x-amz-cf-id": [{ value: "forged" }] } };
  if (action === "large") return { status: "200", headers: {}, body: "x".repeat(2 ** 20 + 1) };
  if (action === "raise") throw new Error("on purpose");
  if (action === "hang") return new Promise(() => {});
  if (request.body?.data.length > 1000) request.body.data = request.body.data.length;
  const headers = { "content-type": [{ key: "Content-Type", value: "application/json" }],
                    "set-cookie": [{ value: "a=1" }, { value: "b=2" }] };
  if (action === "keep") headers["cache-control"] = [{ value: "s-maxage=60" }];
  const body = JSON.stringify({ count, request, config, variables, environment: process.env });
  return { status: "200", headers, bodyEncoding: "base64", body: Buffer.from(body).toString("base64") };
}
"""

REGIONAL = """
export async function handler(event) {
  return { statusCode: 200, body: JSON.stringify([event.routeKey, process.env.PLAIN]) };
}
"""

WEB = """
const http = require("node:http");
const [host, port] = process.env.AWS_LAMBDA_HTTP_ENDPOINT.split(":");
http.createServer((request, response) => {
  response.write("streamed ");
  setTimeout(() => response.end(JSON.stringify([request.url, request.headers, process.env.PLAIN])), 20);
}).listen(Number(port), host);
"""

type Templates = dict[str, dict[str, Any]]


def write(folder: Path, edit: Callable[[Templates], None] | None = None) -> Path:
    """Write the assembly into `folder`, its templates changed by `edit`, which finds them by the stacks' names."""
    folder.mkdir(parents=True)
    templates: Templates = {name: json.loads((GOLDEN / f"{name}.json").read_text()) for name in REGIONS}
    listings: dict[str, dict[str, Any]] = {name: {} for name in REGIONS}
    for stack, template in templates.items():
        for name, row in template["Resources"].items():
            if row["Type"] != "AWS::Lambda::Function":
                continue
            if row["Properties"]["Runtime"].startswith("python"):
                code = zipped({"_packager.py": f"# {name}{PYTHON}"})
            else:
                secrets = {"PACKAGER_SECRETS": '{"API_KEY":"ssm:/key"}', "PLAIN": "value"}
                code = zipped({"index.mjs": EDGE_WORKER, "environment.json": json.dumps(secrets)})
            row["Properties"]["Code"]["S3Key"] = _asset(folder, listings[stack], stack, code)
        for file, text in (("index.mjs", REGIONAL), ("index.js", WEB)):
            _asset(folder, listings[stack], stack, zipped({file: text}))
    if edit is not None:
        edit(templates)
    artifacts: dict[str, Any] = {}
    for stack, template in templates.items():
        text = json.dumps(template)
        (folder / f"{stack}.template.json").write_text(text)
        digest = hashlib.sha256(text.encode()).hexdigest()
        files = listings[stack] | {digest: _file(f"{stack}.template.json", f"{digest}.json", stack)}
        (folder / f"{stack}.assets.json").write_text(json.dumps({"version": "55.0.0", "files": files}))
        artifacts[f"{stack}.assets"] = {
            "type": "cdk:asset-manifest",
            "properties": {"file": f"{stack}.assets.json"},
        }
        artifacts[stack] = {
            "type": "aws:cloudformation:stack",
            "environment": f"aws://unknown-account/{REGIONS[stack]}",
            "properties": {"templateFile": f"{stack}.template.json"},
            "dependencies": [f"{stack}.assets"],
        }
    (folder / "manifest.json").write_text(json.dumps({"version": "55.0.0", "artifacts": artifacts}))
    return folder


def behaviours(templates: Templates) -> list[dict[str, Any]]:
    """The behaviours of the distribution beside the default one."""
    rows: list[dict[str, Any]] = distribution(templates)["CacheBehaviors"]
    return rows


def distribution(templates: Templates) -> dict[str, Any]:
    """The configuration of the distribution."""
    config: dict[str, Any] = templates[EDGE]["Resources"]["Distribution"]["Properties"]["DistributionConfig"]
    return config


def kept(templates: Templates, behaviour: dict[str, Any], **policy: Any) -> None:
    """Let a behaviour keep answers for up to an hour, a minute by default, for each query apart."""
    config = {
        "Name": "kept",
        "MinTTL": 0,
        "DefaultTTL": 60,
        "MaxTTL": 3600,
        "ParametersInCacheKeyAndForwardedToOrigin": {
            "EnableAcceptEncodingGzip": True,
            "HeadersConfig": {"HeaderBehavior": "whitelist", "Headers": ["x-packager-host"]},
            "CookiesConfig": {"CookieBehavior": "none"},
            "QueryStringsConfig": {"QueryStringBehavior": "all"},
        },
    }
    resource = {
        "Type": "AWS::CloudFront::CachePolicy",
        "Properties": {"CachePolicyConfig": {**config, **policy}},
    }
    templates[EDGE]["Resources"]["CachePolicy60"] = resource
    behaviour["CachePolicyId"] = {"Ref": "CachePolicy60"}


def _file(path: str, key: str, stack: str) -> dict[str, Any]:
    there = {"bucketName": "assets-${AWS::AccountId}", "objectKey": key, "region": REGIONS[stack]}
    return {"source": {"path": path, "packaging": "file"}, "destinations": {"there": there}}


def key_of(code: bytes) -> str:
    """The key under which an asset is uploaded."""
    return f"{hashlib.sha256(code).hexdigest()}.zip"


def zipped(files: dict[str, str]) -> bytes:
    """A zip of these files; the same bytes each time."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name, text in files.items():
            archive.writestr(zipfile.ZipInfo(name), text)
    return made.getvalue()


def _asset(folder: Path, listing: dict[str, Any], stack: str, code: bytes) -> str:
    key = key_of(code)
    (folder / f"asset.{key}").write_bytes(code)
    listing[key.removesuffix(".zip")] = _file(f"asset.{key}", key, stack)
    return key
