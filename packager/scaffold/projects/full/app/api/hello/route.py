"""Close to the reader: Pyodide at the edge answers, not the region of the API."""

from runtimes import Request

runtime = "edge"


def GET(request: Request):
    return {
        "hello": request.query_params.get("name", "world"),
        "country": request.geo.country,
    }
