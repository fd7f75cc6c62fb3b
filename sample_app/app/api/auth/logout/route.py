"""`cookies()` works anywhere below a handler; what it changes goes onto the response."""

from lib import sessions
from runtimes import Response, cookies


def POST():
    if session := cookies().get("session"):
        sessions.close_session(session.value)
        cookies().delete("session")
    return Response(status_code=204)
