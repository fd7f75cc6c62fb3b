"""New projects, of a template or of an app of another framework; the files are values until `placing` writes them.

`templates` reads them from this package, where each template is a project that works as it stands; `fastapi` and
`chalice` make them of a source file, which is read and never run.
"""
