"""`GET /api/hello`: the folder is the URL, the function is the method."""

from runtimes import Request

# CPython on AWS Lambda; "edge" is the same file in Pyodide, close to the reader.
runtime = "nodejs"


def GET(request: Request):
    name = request.query_params.get("name", "world")
    return {"hello": name}
