"""One note."""

from runtimes import Request, Response, not_found

from lib.notes import Note
from lib.store import store


def GET(request: Request, params: dict) -> Note:
    return store().note(request.state.session["user"], params["id"]) or not_found()


def DELETE(request: Request, params: dict):
    store().remove_note(request.state.session["user"], params["id"])
    return Response(status_code=204)
