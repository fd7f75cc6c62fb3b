"""Runs before every route below `/api`: a line in the log, a limit, the session."""

from runtimes.middleware import compose, rate_limit, request_log, session

config = {"matcher": "/api/:path*"}

middleware = compose(request_log(), rate_limit(600, per=60), session("SESSION_KEY"))
