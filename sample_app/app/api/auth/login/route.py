"""A session in a cookie that scripts cannot read and plain HTTP never carries."""

from lib import sessions
from runtimes import Request, Response


async def POST(request: Request):
    body = await request.json()
    if not isinstance(body, dict):
        return Response.json({"error": "name and password are required"}, status_code=422)
    token = sessions.open_session(str(body.get("name", "")), str(body.get("password", "")))
    if token is None:
        return Response.json({"error": "wrong name or password"}, status_code=401)
    response = Response.json({"name": str(body["name"])})
    response.cookies.set(
        "session", token, max_age=sessions.LIFETIME, secure=True, httponly=True, samesite="lax"
    )
    return response
