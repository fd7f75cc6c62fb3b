"""Who is logged in. The cookie is signed: the edge need not ask a database."""

from runtimes import Request, unauthorized

runtime = "edge"


def GET(request: Request):
    name = request.state.session.get("user") or unauthorized()
    return {"name": name}
