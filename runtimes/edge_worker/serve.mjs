// Serves this artifact alone on 127.0.0.1: node serve.mjs --port N [--behind-cdn]
//
// Variables and secrets come from the process's own environment. Prints `ready http://127.0.0.1:N` once the
// app is loaded, which runs in a process of its own.
import { parseArgs } from "node:util";

import { MAX_RESPONSE_BYTES, fail, listen } from "./http_server.mjs";
import { supervise } from "./supervisor.mjs";

const HOST = "127.0.0.1";
/** How long requests may go on after SIGTERM. */
const FAREWELL_MS = 2_000;

const { port, behindCdn } = options();
process.on("uncaughtException", fail);
const supervised = supervise(new URL("./", import.meta.url), process.env, { maxResponse: MAX_RESPONSE_BYTES });
supervised.catch(fail);
const site = { host: HOST, port, behindCdn, scheme: "http", farewell: FAREWELL_MS };
const [listening] = await Promise.all([listen(supervised, site), supervised]);
console.log(`ready http://${HOST}:${listening}`);

function options() {
  try {
    const { values } = parseArgs({ options: { port: { type: "string" }, "behind-cdn": { type: "boolean" } } });
    const port = Number(values.port);
    if (values.port === undefined || !Number.isInteger(port) || port < 0 || port > 65_535) {
      throw new Error("--port takes a number from 0 to 65535");
    }
    return { port, behindCdn: values["behind-cdn"] === true };
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : error}\nusage: node serve.mjs --port N [--behind-cdn]`);
    return process.exit(2);
  }
}
