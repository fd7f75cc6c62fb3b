"""Guards this folder: nobody without a session gets to its routes."""

from runtimes import Request, Response


def middleware(request: Request):
    if "user" not in request.state.session:
        return Response.json({"error": "log in first"}, status_code=401)
    return Response.next(headers={"Cache-Control": "private, no-store"})
