"""The cloud on the desk: serves a build output as API Gateway, Lambda and the CDN would.

    client ── door ─┬─ gateway ── pool ── runtime processes (awslambdaric ⇄ Runtime API)   nodejs functions
                    └─ cdn ────── worker (Node, `serve.mjs`)                               edge functions

`run` ties the parts together for one build output. `door` takes a request in, strips what only the cloud may
set and finds its function by the manifest's routes. `gateway` is the HTTP API: it turns the request into an
event of payload 2.0 (`events`) and the function's result into an answer; `lambda_pool` finds a process for
it, `lambda_process` is one execution environment in its states, `runtime_api` the small server it talks to,
`lambda_image` what it is started from. `cdn` streams to and from a worker, whose life is `edge_process`.
`child_process` starts and ends both kinds; `child` is the first thing that runs inside them.

Nothing here imports a module of the project.
"""
