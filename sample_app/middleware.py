"""Runs before every route below `/api`, on both runtimes: one line in the log, and a limit for each client.

It is part of the edge worker too, so it imports nothing that edge has not. Who may see the admin pages is
decided in `app/api/middleware.py`, which runs after this one.
"""

from runtimes.middleware import compose, rate_limit, request_log

config = {"matcher": "/api/:path*"}

middleware = compose(request_log(), rate_limit(10_000, per=60))
