// The Lambda@Edge function for CloudFront's origin-request event: handler = index.handler
import { readFile } from "node:fs/promises";

import { MAX_RESPONSE_BYTES, originRequest } from "./cloudfront.mjs";
import { forApp } from "./environment.mjs";
import { supervise } from "./supervisor.mjs";

/** Time that Lambda leaves for the answer after a deadline: past max_duration it would end everything without one. */
const RESERVE_MS = 1_000;

// Lambda@Edge has no environment variables: the deployment puts this file beside the artifact.
const worker = await supervise(new URL("./", import.meta.url), await forApp(await variables(), process.env), {
  maxResponse: MAX_RESPONSE_BYTES,
  reserve: RESERVE_MS,
});

/** @param {Parameters<typeof originRequest>[1]} event */
export const handler = (event) => originRequest(worker, event);

/** @returns {Promise<Record<string, string>>} */
async function variables() {
  try {
    return JSON.parse(await readFile(new URL("environment.json", import.meta.url), "utf8"));
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return {};
    throw error;
  }
}
