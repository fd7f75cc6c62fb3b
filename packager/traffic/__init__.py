"""What passes through `preview` and `dev`, made visible: the same for both.

    recorder ── sets the request's trace ──▶ door, gateway, cdn … fill it
       ├─ RequestServed ──▶ events: a line on the terminal, or JSON
       └─ Exchange ───────▶ history: the last ones, whole, for the console

`trace` is a request's own note-book, found by a context variable. `events` are what the commands tell while they run.
`history` keeps exchanges within bounds, and `secrecy` says what of them is shown.
"""
