"""Runs before the routes of its folder that the matcher takes, in the function that serves them."""

from lib import sessions
from runtimes import Request, Response

config = {"matcher": ["/api/admin/:path*"]}


def middleware(request: Request):
    user = sessions.user_of(request.cookies.get("session"))
    if user is None:
        return Response.json({"error": "log in first"}, status_code=401)
    if not user["admin"]:
        return Response.json({"error": "admins only"}, status_code=403)
    request.state.user = user
    return Response.next(headers={"X-Guard": "passed"})
