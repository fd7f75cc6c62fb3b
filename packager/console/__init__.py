"""The page at `/_packager` of `preview` and `dev`: what is served, what passes, what is wrong.

    browser ──▶ console ─┬─ /_packager ──▶ pages ── page/*.mjs, data, events        (guard: who may)
                         └─ all else ────▶ recorder ──▶ door …                       (packager.traffic)

`console` is what the commands hold: they tell it what they serve (`use`), what checks found, which requests met faults.
`pages` is its HTTP side; `views` makes the JSON, with secrets masked; `stream` tells open pages what happens; `replay`
sends a request again; `guard` says who may read and act; `library` gets the two packages that the page imports.
`api` is a page of its own: what the routes take and answer (`packager.openapi`).

The page is Preact and htm, written as it is served: there is no build step.
"""
