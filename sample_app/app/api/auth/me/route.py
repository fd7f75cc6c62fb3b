"""Raised control flow: `unauthorized()` ends the request with 401 from any depth."""

from lib import sessions
from runtimes import Request, unauthorized


def GET(request: Request):
    return sessions.user_of(request.cookies.get("session")) or unauthorized()
