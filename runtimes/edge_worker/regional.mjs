// The Lambda function for HTTP APIs and Function URLs (payload 2.0): handler = index.handler
import { forApp, ownVariables } from "./environment.mjs";
import { MAX_RESPONSE_BYTES, answerEvent } from "./http_api.mjs";
import { originKey } from "./origin_key.mjs";
import { supervise } from "./supervisor.mjs";

/** Time that Lambda leaves for the answer after a deadline: past max_duration it would end everything without one. */
const RESERVE_MS = 1_000;

const admits = originKey(process.env);
const behindCdn = process.env.PACKAGER_BEHIND_CDN === "1";
const worker = await supervise(new URL("./", import.meta.url), await forApp(ownVariables(process.env), process.env), {
  maxResponse: MAX_RESPONSE_BYTES,
  reserve: RESERVE_MS,
});

/** @param {Parameters<typeof answerEvent>[1]} event */
export const handler = (event) => answerEvent(worker, event, { admits, behindCdn });
