"""`packager types`: what the routes say of themselves, as an OpenAPI document and a typed client.

`operations` reads the route tree without importing it, `describe` has the types of its handlers told by a child
process in the project's own environment, `document` makes one OpenAPI 3.1 document of both, `typescript` the modules
for the front end, `generate` is all of it in order. `description` is the document of a project that is being worked on,
`follow` keeps the files with every save, and `page` shows the document in a browser.
"""
