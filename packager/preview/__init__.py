"""The cloud on the desk: serves a build output as API Gateway, Lambda and CloudFront would.

    client ── cloud ── distribution ─┬─ viewer functions, cache, Lambda@Edge (Node, the artifact's own handler)
                                     ├─ http_api ── gateway ── pool ── Lambda processes     functions behind the API
                                     └─ cdn ── worker (Node)                                web functions
    client ── door ─┬─ gateway ── pool ── Lambda processes (awslambdaric ⇄ Runtime API)     nodejs functions
                    └─ cdn ────── worker (Node, `serve.mjs`)                                edge functions

`run` ties the parts together for one build output, `server` listens. Requests go one of two ways.

By the stacks: `source` has the cloud assembly made, `template` resolves its templates, `deployed_topology` and
`policies` read a `topology` from them, and `cloud` starts what it names. `distribution` chooses the behaviour of a
path (`uri`), runs its functions (`viewer`, `edge_functions` with `origin_request`; `node_program` keeps their
processes), keeps answers (`edge_cache`), tells what CloudFront knows of a viewer (`viewer_headers`) and lets through
what the policies name (`forwarding`); `http_api` chooses a route by its key. By the build's own routes: `door`, which
strips what only the cloud may set.

`gateway` turns a request into an event of payload 2.0 (`events`) and the function's result into an answer;
`lambda_pool` finds a process for it, `lambda_process` is one execution environment in its states, `lambda_outcome`
what became of an invocation, `runtime_api` the small server it talks to, `lambda_image` what it is started from,
`host_wheels` and `local_folders` what of it is this machine's, `lambda_sandbox` where it runs, `lambda_memory` what
it may hold there. `node_environment` holds functions in Node to the same limits. `cdn` streams to and from a worker,
whose life is `edge_process`. `child_process` starts and ends all kinds; `child` is the first thing that runs inside
them.

Nothing here imports a module of the project.
"""
