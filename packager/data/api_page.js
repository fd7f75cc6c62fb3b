// Starts Swagger UI on the page of the API: nothing is sent but the requests that a reader makes.
const place = document.getElementById("api");
globalThis.SwaggerUIBundle({
  url: place.dataset.document,
  domNode: place,
  deepLinking: true,
  defaultModelsExpandDepth: 0,
  // Left unset it would have a server of its makers read the document.
  validatorUrl: null,
});
