// The HTTP server of a Lambda Web Function, on the address that Lambda names.
//
// It takes connections at once, as Lambda wants it within ten seconds; requests wait until the app is loaded.
// Source: docs.aws.amazon.com/lambda/latest/dg/web-functions-env-lifecycle.html.
import { forApp, ownVariables } from "./environment.mjs";
import { MAX_RESPONSE_BYTES, fail, listen } from "./http_server.mjs";
import { originKey } from "./origin_key.mjs";
import { supervise } from "./supervisor.mjs";

/** How long requests may go on after SIGTERM: Lambda ends the process one second later. */
const FAREWELL_MS = 900;

process.on("uncaughtException", fail);
const [host, port] = (process.env.AWS_LAMBDA_HTTP_ENDPOINT ?? "127.0.0.1:3000").split(":");
const behindCdn = process.env.PACKAGER_BEHIND_CDN === "1";
const supervised = forApp(ownVariables(process.env), process.env).then((variables) =>
  supervise(new URL("./", import.meta.url), variables, { maxResponse: MAX_RESPONSE_BYTES }),
);
supervised.catch(fail);
await listen(supervised, {
  host,
  port: Number(port),
  behindCdn,
  scheme: "https",
  admits: originKey(process.env),
  farewell: FAREWELL_MS,
});
