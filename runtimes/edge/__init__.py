"""The Python side of the edge worker. `runtimes/edge_worker` is the JavaScript side.

`start` loads the app and gives the worker its `bridge`, which turns what crosses into calls of the ASGI app.
"""
