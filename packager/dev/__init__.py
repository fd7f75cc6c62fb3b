"""The project's sources, served as they are saved.

    client ── door ─┬─ gateway ── pool ── Lambda processes on the project's own folder      nodejs functions
                    └─ cdn ────── worker whose snapshot holds distributions only            edge functions

`run` ties the parts together. `reading` reads the project into a `Reading`, as a build would but for the
artifacts. `door` is preview's with what only developers see: error pages. A function
is served by a *generation* of processes; a save that touches it begins the next one, which others do not notice:
`nodejs` keeps a process that has imported the distributions but nothing of the project (`spare`, held back by a
`gate`), `edge` keeps a frozen worker (`edge_worker`) and replaces its archive. `watch` says what was saved,
`checks` runs `packager check` beside it all, `types` keeps the files of `packager types`.

Nothing here imports a module of the project.
"""
