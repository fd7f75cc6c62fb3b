"""Apps whose outer middleware is composed of ready-made parts."""

import pytest

ECHO = """
from runtimes import Request

async def GET(request: Request):
    return {"path": request.url.path, "query": request.url.query, "cookies": request.cookies,
            "headers": dict(request.headers)}

async def PUT():
    raise ValueError("boom")
"""


@pytest.fixture
def guarded(make_app):
    """`guarded("rate_limit(2, per=60)", …)`: an app with a route `/api/x` behind these parts.

    `code` stands before them in `middleware.py`; `files` are more files of the app.
    """

    def build(*parts, code="", files=None, settings=None):
        source = f"from runtimes.middleware import *\n{code}\nmiddleware = compose({', '.join(parts)})\n"
        return make_app(
            {"app/api/x/route.py": ECHO, "middleware.py": source, **(files or {})},
            settings=settings,
        )

    return build
