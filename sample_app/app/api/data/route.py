"""CORS: `cors` answers the preflight and puts the headers on every answer, errors too."""

from runtimes import Request, Response

runtime = "edge"
cors = {
    "origins": ["https://shop.example", "http://localhost:5173"],
    "methods": ["GET", "POST"],
    "headers": ["Content-Type", "Authorization"],
    "credentials": True,
    "max_age": 600,
}


async def GET():
    return {"data": [1, 2, 3]}


async def POST(request: Request):
    return Response.json({"received": await request.json()}, status_code=201)
