"""Query parameters, cookies and headers; a list from the database, page by page."""

from lib import users
from runtimes import Request, Response

MAX_PER_PAGE = 50


def GET(request: Request):
    try:
        page = int(request.query_params.get("page", "1"))
        per_page = int(request.query_params.get("per_page", "2"))
    except ValueError:
        return Response.json({"error": "page and per_page must be numbers"}, status_code=422)
    if page < 1 or not 1 <= per_page <= MAX_PER_PAGE:
        return Response.json({"error": f"page starts at 1, per_page is 1 to {MAX_PER_PAGE}"}, status_code=422)
    rows, total = users.page(page, per_page)
    response = Response.json(
        {
            "users": rows,
            "page": page,
            "pages": -(-total // per_page),
            "theme": request.cookies.get("theme", "light"),
            "agent": request.headers.get("user-agent"),
            "country": request.geo.country,
        }
    )
    response.cookies.set("last_page", str(page), max_age=3600)
    return response


async def POST(request: Request):
    body = await request.json()
    name = body.get("name") if isinstance(body, dict) else None
    if not name or not isinstance(name, str):
        return Response.json({"error": "name is required"}, status_code=422)
    user = users.create(name)
    if user is None:
        return Response.json({"error": "this name is taken"}, status_code=409)
    return Response.json(user, status_code=201, headers={"Location": f"/api/users/{user['id']}"})
