"""The document of a real project: what a front end reads of its routes."""

import json

from openapi_spec_validator import OpenAPIV31SpecValidator

ERROR = {"$ref": "#/components/responses/Error"}
INVALID = {"$ref": "#/components/responses/ValidationError"}


def test_the_document_is_openapi_3_1_and_names_the_app_and_its_server(shop):
    assert list(OpenAPIV31SpecValidator(shop.document).iter_errors()) == []
    assert shop.document["openapi"] == "3.1.0"
    assert shop.document["info"] == {"title": "shop", "version": "1.2.3", "description": "A shop"}
    assert shop.document["servers"] == [{"url": "https://api.example.com/v1"}]


def test_dynamic_segments_are_parameters_and_an_optional_one_makes_two_paths(shop):
    assert list(shop.document["paths"]) == [
        "/api/avatar",
        "/api/docs",
        "/api/docs/{slug}",
        "/api/files/{path}",
        "/api/me",
        "/api/orders",
        "/api/orders/{id}",
    ]
    assert "parameters" not in shop.operation("get", "/api/docs")
    (several,) = shop.operation("get", "/api/files/{path}")["parameters"]
    assert (several["name"], several["in"], several["required"], several["schema"]) == (
        "path",
        "path",
        True,
        {"type": "string"},
    )
    assert several["x-catch-all"] is True
    (single,) = shop.operation("delete", "/api/orders/{id}")["parameters"]
    assert single == {"name": "id", "in": "path", "required": True, "schema": {"type": "integer"}}


def test_each_field_of_query_headers_and_cookies_is_one_parameter(shop):
    page, tag, before = shop.operation("get", "/api/orders")["parameters"]
    assert page == {
        "name": "page",
        "in": "query",
        "schema": {"type": "integer", "default": 1, "minimum": 1, "maximum": 10000},
    }
    assert (tag["explode"], tag["schema"]["items"]) == (True, {"type": "string"})
    # a URL has no null
    assert before["schema"] == {"type": "string"}
    assert before["description"] == "Those before this one"
    found = {
        (item["in"], item["name"]): item for item in shop.operation("get", "/api/orders/{id}")["parameters"]
    }
    assert found["header", "x-request-id"]["required"]
    assert "required" not in found["cookie", "theme"]
    # OpenAPI ignores a parameter of this name: it is a security scheme
    assert ("header", "authorization") not in found


def test_bodies_are_described_in_every_form_that_says_the_same(shop):
    order = shop.operation("post", "/api/orders")["requestBody"]
    assert list(order["content"]) == ["application/json"]
    assert order["required"]
    assert order["description"] == "At most 6.29 MB."
    login = shop.operation("put", "/api/avatar")["requestBody"]["content"]
    assert list(login) == ["application/json", "application/x-www-form-urlencoded"]
    picture = shop.operation("post", "/api/avatar")["requestBody"]["content"]["multipart/form-data"]["schema"]
    assert picture["properties"]["picture"]["contentMediaType"] == "application/octet-stream"
    raw = shop.operation("put", "/api/orders/{id}")["requestBody"]["content"]
    assert raw["application/octet-stream"]["schema"]["format"] == "binary"
    assert shop.operation("post", "/api/docs")["requestBody"]["content"] == {"application/json": {}}


def test_answers_are_described_by_status_and_media_type(shop):
    created = shop.operation("post", "/api/orders")["responses"]
    assert list(created) == ["201", "409", "422", "default"]
    assert created["201"]["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/Order"}
    assert (created["422"], created["default"]) == (INVALID, ERROR)
    gone = shop.operation("delete", "/api/orders/{id}")["responses"]
    # not_found() has no body
    assert (gone["204"], gone["404"]) == ({"description": "No Content"}, {"description": "Not Found"})
    picture = shop.operation("put", "/api/orders/{id}")["responses"]["200"]["content"]
    assert picture["image/png"]["schema"]["contentMediaType"] == "image/png"
    events = shop.operation("patch", "/api/orders/{id}")["responses"]["200"]["content"]
    assert events == {"text/event-stream": {"schema": {"type": "string"}}}
    untyped = shop.operation("get", "/api/files/{path}")["responses"]
    assert untyped["2XX"]["content"] == {"*/*": {}}
    assert untyped["2XX"]["headers"]["Set-Cookie"]["description"] == "Sets seen."


def test_what_is_sent_may_leave_out_what_has_a_default_and_what_is_answered_has_it(shop):
    schemas = shop.document["components"]["schemas"]
    assert schemas["OrderIn-Input"]["required"] == ["title"]
    assert schemas["Order"]["required"] == ["title", "tags", "parent", "id"]
    # of the parameters' models nothing is left
    assert not {"Page", "Headers", "Params", "Cookies"} & set(schemas)


def test_texts_of_the_source_describe_the_operations(shop):
    listed = shop.operation("get", "/api/orders")
    assert (listed["summary"], listed["description"]) == ("The orders.", "Page by page, the newest first.")
    assert (listed["operationId"], listed["tags"]) == ("get_api_orders", ["orders"])
    assert shop.operation("get", "/api/docs")["deprecated"] is True
    assert "deprecated" not in shop.operation("post", "/api/docs")


def test_who_may_call_is_said_by_the_settings_or_by_a_typed_header(shop):
    assert shop.operation("get", "/api/orders/{id}")["security"] == [{"session": []}]
    assert shop.operation("get", "/api/me")["security"] == [{"authorization": []}]
    assert "security" not in shop.operation("get", "/api/docs")
    assert shop.document["components"]["securitySchemes"] == {
        "session": {"type": "apiKey", "in": "cookie", "name": "session"},
        "authorization": {"type": "apiKey", "in": "header", "name": "Authorization"},
    }


def test_preflights_and_automatic_methods_are_left_out_and_query_is_told(shop):
    methods = {method for item in shop.document["paths"].values() for method in item}
    assert not methods & {"options", "head", "query"}
    assert shop.left_out == ("QUERY /api/files/[...path]",)


def test_equal_projects_give_equal_bytes(shop):
    assert json.loads(shop.generated.files["openapi.json"]) == shop.document
    assert (
        shop.generated.files["openapi.json"] == json.dumps(shop.document, indent=2, ensure_ascii=False) + "\n"
    )
