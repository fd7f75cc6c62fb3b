"""Requests go the way that the templates say: real templates, real processes, small functions."""

import asyncio
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from golden_cloud import (
    API,
    EDGE,
    REGIONAL,
    WEB,
    Templates,
    behaviours,
    distribution,
    kept,
    key_of,
    write,
    zipped,
)

EDGE_PATH = "/api/edge-example"


def resources(templates: Templates, stack: str = API) -> dict[str, Any]:
    return templates[stack]["Resources"]


def routes(templates: Templates) -> dict[str, dict[str, Any]]:
    return {
        row["Properties"]["RouteKey"]: row["Properties"]
        for row in resources(templates).values()
        if row["Type"] == "AWS::ApiGatewayV2::Route"
    }


@pytest.fixture
def ask(tmp_path: Path, exercise_cloud: Any) -> Callable[..., Any]:
    """Serves the assembly, changed by `edit`, to the coroutine function `use`."""

    def run_it(use: Any, edit: Callable[[Templates], None] | None = None, **viewer: str) -> Any:
        return exercise_cloud(write(tmp_path / "cdk.out", edit), use, **viewer)

    return run_it


def test_a_request_meets_distribution_api_and_the_function_as_it_is_configured(ask: Any) -> None:
    async def use(running: Any) -> None:
        answer = await running.client.get("/api/users/7%2F8?a=%zz", headers={"x-packager-path": "/forged"})
        seen = answer.json()
        event = seen["event"]
        assert (seen["function"], seen["memory"]) == ("sample-app-prod-api", "512")
        assert (event["routeKey"], event["rawPath"]) == ("$default", "/api/users/7/8")
        assert event["headers"]["x-packager-path"] == "/api/users/7%2F8"
        assert event["headers"]["x-packager-host"] == f"127.0.0.1:{running.port}"
        assert re.fullmatch(
            r"[0-9a-f]{10}\.execute-api\.eu-central-1\.amazonaws\.com", event["headers"]["host"]
        )
        assert event["rawQueryString"] == "a=%zz"
        assert seen["environment"]["SHOP_NAME"] == "Ada's Instruments"
        assert seen["environment"]["API_KEY"] == "local secret"
        assert answer.headers["x-cache"] == "Miss from cloudfront"
        assert answer.headers["x-frame-options"] == "SAMEORIGIN"
        assert re.fullmatch(r"1\.1 [0-9a-f]{14}\.cloudfront\.net \(CloudFront\)", answer.headers["via"])
        own = await running.client.get("/api/users/7?x-frame-options=DENY")
        assert own.headers["x-frame-options"] == "DENY"
        assert own.json()["event"]["pathParameters"] == {"id": "7"}
        missing = await running.client.get("/api/hello?status=404")
        assert (missing.status_code, missing.headers["x-cache"]) == (404, "Error from cloudfront")
        assert "PACKAGER_SECRETS" not in seen["environment"]

    ask(use)


def test_other_targets_settings_and_variables_of_the_template_are_seen(ask: Any) -> None:
    def edit(templates: Templates) -> None:
        rows = routes(templates)
        one, other = rows["ANY /api/hello"], rows["ANY /api/node-example"]
        one["Target"], other["Target"] = other["Target"], one["Target"]
        del resources(templates)["ApiUsersc93de48dRoute"], resources(templates)["Default6b672969Route"]
        function = resources(templates)["ApiFunction"]["Properties"]
        function |= {"MemorySize": 300, "Timeout": 1}
        function["Environment"]["Variables"] = {"OTHER": "1"}
        # the distribution's key is another one now
        origin = distribution(templates)["Origins"][0]
        origin["OriginCustomHeaders"] = []

    async def use(running: Any) -> None:
        assert (await running.client.get("/api/hello")).status_code == 403
        seen = (await running.client.get("/api/node-example")).json()
        assert (seen["function"], seen["memory"]) == ("sample-app-prod-api", "300")
        assert seen["environment"]["OTHER"] == "1"
        assert not {"SHOP_NAME", "PACKAGER_BEHIND_CDN", "PACKAGER_ORIGIN_KEY"} & seen["environment"].keys()
        gone = await running.client.get("/api/users")
        assert (gone.status_code, gone.json()) == (404, {"message": "Not Found"})
        assert (await running.client.get("/api/node-example?sleep=20")).status_code == 500
        assert (await running.client.get("/api/node-example")).json()["count"] == 1
        assert [line for line in running.log if "Task timed out after 1.00 seconds" in line]

    ask(use, edit)


def test_the_api_itself_lets_nobody_in_without_the_key(ask: Any) -> None:
    async def use(running: Any) -> None:
        headers = {"host": f"api.localhost:{running.port}"}
        refused = await running.client.get("/api/hello", headers=headers)
        assert (refused.status_code, refused.json()) == (403, {"message": "Forbidden"})
        assert "x-cache" not in refused.headers
        key = (await running.client.get("/api/hello")).json()["environment"]["PACKAGER_ORIGIN_KEY"]
        passed = await running.client.get("/api/hello", headers={**headers, "x-packager-origin-key": key})
        assert "x-packager-path" not in passed.json()["event"]["headers"]

    ask(use)


def test_without_a_distribution_the_api_is_what_clients_ask(ask: Any) -> None:
    def edit(templates: Templates) -> None:
        del resources(templates, EDGE)["Distribution"]
        del resources(templates)["ApiFunction"]["Properties"]["Environment"]

    async def use(running: Any) -> None:
        answer = await running.client.get("/api/hello")
        assert answer.json()["event"]["headers"]["host"] == f"127.0.0.1:{running.port}"
        assert "x-cache" not in answer.headers

    ask(use, edit)


def test_the_function_for_origin_requests_answers_or_lets_pass(ask: Any) -> None:
    async def use(running: Any) -> None:
        answer = await running.client.post(
            f"{EDGE_PATH}?x=%7e", content=b"\xff\0body", headers={"cookie": "c=1"}
        )
        seen, request = answer.json(), answer.json()["request"]
        assert answer.headers["x-cache"] == "LambdaGeneratedResponse from cloudfront"
        assert answer.headers.get_list("set-cookie") == ["a=1", "b=2"]
        assert (request["method"], request["uri"], request["querystring"]) == ("POST", EDGE_PATH, "x=%7e")
        assert request["body"] == {
            "inputTruncated": False,
            "action": "read-only",
            "encoding": "base64",
            "data": "/wBib2R5",
        }
        assert request["headers"]["cookie"][0]["value"] == "c=1"
        assert request["clientIp"] == "127.0.0.1"
        assert "x-packager-origin-key" in request["origin"]["custom"]["customHeaders"]
        assert seen["config"]["eventType"] == "origin-request"
        assert seen["variables"] == {"PLAIN": "value", "API_KEY": "local secret"}
        large = (await running.client.post(EDGE_PATH, content=b"x" * 1_500_000)).json()["request"]["body"]
        assert (large["inputTruncated"], large["data"]) == (True, 1_398_104)
        passed = await running.client.post(f"{EDGE_PATH}?pass", content=b"y" * 1_500_000)
        assert len(passed.json()["event"]["body"]) == 1_500_000
        assert passed.json()["event"]["routeKey"] == "$default"
        assert passed.headers["x-cache"] == "Miss from cloudfront"
        other = (await running.client.get(f"{EDGE_PATH}?other")).json()
        assert other["event"]["routeKey"] == "ANY /api/node-example"

    ask(use)


def test_what_the_function_for_origin_requests_may_not_do_is_cloudfronts_error(ask: Any) -> None:
    def edit(templates: Templates) -> None:
        resources(templates, EDGE)["EdgeFunction"]["Properties"]["Timeout"] = 1

    async def use(running: Any) -> None:
        found = await asyncio.gather(
            *(running.client.get(f"{EDGE_PATH}?{action}") for action in ("header", "large", "raise"))
        )
        assert [answer.status_code for answer in found] == [502, 502, 503]
        assert {answer.headers["x-cache"] for answer in found} == {"Error from cloudfront"}
        assert (await running.client.get(f"{EDGE_PATH}?hang")).status_code == 503
        assert (await running.client.get(EDGE_PATH)).json()["count"] == 1
        told = "\n".join(running.log)
        assert "it sets the header x-amz-cf-id" in told
        assert "Lambda@Edge may make 1048576" in told
        assert "on purpose" in told
        assert "Task timed out after 1.00 seconds" in told

    ask(use, edit)


def test_an_origin_that_does_not_answer_in_time_is_504(ask: Any) -> None:
    def edit(templates: Templates) -> None:
        distribution(templates)["Origins"][0]["CustomOriginConfig"]["OriginReadTimeout"] = 1

    async def use(running: Any) -> None:
        answer = await running.client.get("/api/hello?sleep=3")
        assert (answer.status_code, answer.headers["x-cache"]) == (504, "Error from cloudfront")

    ask(use, edit)


def test_behaviours_hold_by_precedence_with_their_methods(ask: Any) -> None:
    def edit(templates: Templates) -> None:
        rows = behaviours(templates)
        rows.insert(0, {**rows[0], "PathPattern": "/api/h?llo", "AllowedMethods": ["GET", "HEAD"]})

    async def use(running: Any) -> None:
        raised = await running.client.get("/api/hello")
        assert raised.headers["x-cache"] == "LambdaGeneratedResponse from cloudfront"
        assert "function" in (await running.client.get("/API/hello")).json()
        # patterns are compared with the normalised path, which is not what is handed on
        request = (await running.client.get("/api/%68ello")).json()["request"]
        assert request["uri"] == "/api/%68ello"
        dotted = await running.raw(b"GET /api/x/../hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert b"LambdaGeneratedResponse" in dotted
        refused = await running.client.post("/api/hello")
        assert (refused.status_code, refused.headers["x-cache"]) == (403, "Error from cloudfront")
        assert "not configured to allow the HTTP request method" in refused.text
        passed = await running.client.request("PROPFIND", "/api/hello")
        assert passed.json()["request"]["method"] == "PROPFIND"
        assert any("CloudFront answers 403 to PROPFIND; preview passes it on" in line for line in running.log)
        assert (await running.client.get("/api/hello?" + "x" * 8192)).status_code == 414

    ask(use, edit)


def test_what_cloudfront_knows_of_a_viewer_is_set_by_the_command_and_by_the_request(ask: Any) -> None:
    async def use(running: Any) -> None:
        def headers(answer: Any) -> dict[str, str]:
            rows = answer.json()["event"]["headers"]
            return {name: value for name, value in rows.items() if "viewer" in name}

        sent = {
            "cloudfront-viewer-city": "Forged",
            "cloudfront-viewer-tls": "x",
            "x-preview-viewer-city": "Bonn",
        }
        plain = headers(await running.client.get("/api/hello"))
        address = plain.pop("cloudfront-viewer-address")
        assert address.rpartition(":")[0] == "127.0.0.1"
        assert plain == {"cloudfront-viewer-country": "DE"}
        del sent["cloudfront-viewer-city"]
        named = headers(await running.client.get("/api/hello", headers=sent))
        assert named["cloudfront-viewer-city"] == "Bonn"
        assert "cloudfront-viewer-tls" not in named
        forged = headers(await running.client.get("/api/hello", headers={"cloudfront-viewer-city": "Forged"}))
        assert "cloudfront-viewer-city" not in forged
        other = headers(await running.client.get("/api/hello", headers={"x-preview-viewer-country": "FR"}))
        assert other["cloudfront-viewer-country"] == "FR"

    ask(use, country="DE")


def test_answers_are_kept_by_the_policy_of_their_behaviour(ask: Any) -> None:
    def edit(templates: Templates) -> None:
        rows = behaviours(templates)
        row = {key: value for key, value in rows[0].items() if key != "LambdaFunctionAssociations"}
        rows.insert(0, {**row, "PathPattern": "/api/hello"})
        kept(templates, rows[0])
        edge = next(row for row in rows if row["PathPattern"] == EDGE_PATH)
        edge["CachePolicyId"] = rows[0]["CachePolicyId"]

    async def use(running: Any) -> None:
        async def get(query: str, **headers: str) -> tuple[str, int, int | None]:
            answer = await running.client.get(f"/api/hello?{query}", headers=headers)
            count = answer.json()["count"] if answer.content else None
            return answer.headers["x-cache"].partition(" ")[0], answer.status_code, count

        assert await get("cache-control=s-maxage=60&a=1") == ("Miss", 200, 1)
        assert await get("cache-control=s-maxage=60&a=1", cookie="b=2") == ("Hit", 200, 1)
        again = await running.client.get("/api/hello?cache-control=s-maxage=60&a=1")
        assert int(again.headers["age"]) < 60
        assert await get("cache-control=s-maxage=60&a=1", host="other.test") == ("Miss", 200, 2)
        assert await get("cache-control=s-maxage=60&a=2") == ("Miss", 200, 3)
        assert await get("cache-control=no-store") == ("Miss", 200, 4)
        assert await get("cache-control=no-store") == ("Miss", 200, 5)
        stale = "cache-control=s-maxage=0,stale-while-revalidate=60"
        assert await get(stale) == ("Miss", 200, 6)
        assert await get(stale) == ("Hit", 200, 6)
        tagged = 'cache-control=s-maxage=0,stale-if-error=9&etag="t"'
        assert (await get(tagged))[::2] == ("Miss", 8)
        fresh = 'cache-control=s-maxage=60&etag="u"'
        assert await get(fresh) == ("Miss", 200, 9)
        assert await get(fresh, **{"if-none-match": '"u"'}) == ("Hit", 304, None)
        head = await running.client.head(f"/api/hello?{fresh}")
        assert (head.headers["x-cache"], head.content) == ("Hit from cloudfront", b"")
        posted = await running.client.post(f"/api/hello?{fresh}")
        assert posted.headers["x-cache"] == "Miss from cloudfront"
        assert (await get("status=500"))[0] == (await get("status=500"))[0] == "Error"
        words = [(await running.client.get(f"{EDGE_PATH}?keep")).headers["x-cache"] for _ in range(2)]
        assert words == ["LambdaGeneratedResponse from cloudfront", "Hit from cloudfront"]

    ask(use, edit)


def test_a_viewer_function_that_fails_answers_or_changes_is_obeyed(ask: Any) -> None:
    code = """
    import cf from "cloudfront";
    async function handler(event) {
      const request = event.request;
      if (request.uri === "/throw") throw new Error("no");
      if (request.uri === "/answer") return { statusCode: 302, headers: { location: { value: "/x" } } };
      if (request.uri === "/host") return request;
      cf.updateRequestOrigin({ hostHeader: "HOST" });
      request.uri = "/api/hello";
      request.querystring = { added: { value: "1" } };
      request.headers["x-new"] = { value: typeof process };
      return request;
    }
    """

    def edit(templates: Templates) -> None:
        properties = resources(templates, EDGE)["ViewerRequest"]["Properties"]
        host = properties["FunctionCode"]["Fn::Join"][1][1]
        properties["FunctionCode"] = {"Fn::Join": ["", _around(code, host)]}

    async def use(running: Any) -> None:
        assert (await running.client.get("/throw")).status_code == 503
        answer = await running.client.get("/answer")
        assert (answer.status_code, answer.headers["location"]) == (302, "/x")
        assert answer.headers["x-cache"] == "FunctionGeneratedResponse from cloudfront"
        wrong = await running.client.get("/host")
        assert (wrong.status_code, wrong.json()) == (403, {"message": "Forbidden"})
        event = (await running.client.get("/elsewhere")).json()["event"]
        assert (event["rawPath"], event["rawQueryString"]) == ("/api/hello", "added=1")
        assert event["headers"]["x-new"] == "undefined"

    ask(use, edit)


def test_a_node_function_behind_the_api_answers_its_events(ask: Any) -> None:
    def edit(templates: Templates) -> None:
        properties = resources(templates)["ApiFunction"]["Properties"]
        code = {**properties["Code"], "S3Key": key_of(zipped({"index.mjs": REGIONAL}))}
        properties |= {"Runtime": "nodejs24.x", "Handler": "index.handler", "Code": code}
        properties["Environment"]["Variables"]["PLAIN"] = "value"

    async def use(running: Any) -> None:
        answer = await running.client.get("/api/hello")
        assert answer.json() == ["ANY /api/hello", "value"]
        assert (await running.client.get("/api/node-example")).json()["count"] == 1

    ask(use, edit)


def test_a_web_function_is_an_origin_of_its_own(ask: Any) -> None:
    def edit(templates: Templates) -> None:
        found = resources(templates, EDGE)
        build = {
            "CodeConfig": {"S3Object": {"Bucket": "code", "Key": key_of(zipped({"index.js": WEB}))}},
            "RuntimeConfig": {"Runtime": "nodejs24.x"},
        }
        service = {"EnvironmentVariables": {"PLAIN": "value"}, "TimeoutSeconds": 30}
        found["WebRevision1"] = {
            "Type": "AWS::Lambda::WebFunctionRevision",
            "Properties": {"FunctionName": "web", "BuildConfig": build, "ServiceConfig": service},
        }
        weight = {"RevisionId": {"Fn::GetAtt": ["WebRevision1", "RevisionId"]}, "Weight": 100}
        found["WebEndpoint1"] = {
            "Type": "AWS::Lambda::WebFunctionEndpoint",
            "Properties": {"FunctionName": "web", "RevisionWeights": [weight]},
        }
        host = {"Fn::GetAtt": ["WebEndpoint1", "DomainName"]}
        origins = distribution(templates)["Origins"]
        origins.append({**origins[0], "Id": "web", "DomainName": host})
        (row,) = (row for row in behaviours(templates) if row["PathPattern"] == EDGE_PATH)
        row["TargetOriginId"] = "web"
        del row["LambdaFunctionAssociations"]

    async def use(running: Any) -> None:
        answer = await running.client.get(f"{EDGE_PATH}?a=1")
        start, _, rest = answer.text.partition(" ")
        url, headers, plain = json.loads(rest)
        assert (start, url, plain) == ("streamed", f"{EDGE_PATH}?a=1", "value")
        assert headers["x-packager-path"] == EDGE_PATH
        assert "x-packager-origin-key" in headers
        assert answer.headers["x-cache"] == "Miss from cloudfront"
        assert answer.headers["x-frame-options"] == "SAMEORIGIN"

    ask(use, edit)


def _around(code: str, host: Any) -> list[Any]:
    before, after = code.split("HOST")
    return [before, host, after]
