// The Lambda@Edge function for CloudFront's origin-request event: handler = index.handler
import { readFile } from "node:fs/promises";

import { Fatal } from "./bridge.mjs";
import { originRequest } from "./cloudfront.mjs";
import { boot } from "./worker.mjs";

// Lambda@Edge has no environment variables: the deployment puts this file beside the artifact.
const worker = await boot(await environment());

/** @param {Parameters<typeof originRequest>[1]} event */
export async function handler(event) {
  try {
    return await originRequest(worker, event);
  } catch (error) {
    console.error(error);
    // Lambda keeps a process that answers; only one that ends is replaced.
    if (error instanceof Fatal) process.exit(1);
    throw error;
  }
}

/** @returns {Promise<Record<string, string>>} */
async function environment() {
  try {
    return JSON.parse(await readFile(new URL("environment.json", import.meta.url), "utf8"));
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return {};
    throw error;
  }
}
