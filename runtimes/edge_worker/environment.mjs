// What the app gets to see as its environment variables.

/** @typedef {Record<string, string | undefined>} Variables */

/** Of the tool's own, what is for the adapters alone. */
const KEPT_BACK = ["PACKAGER_ORIGIN_KEY", "PACKAGER_SECRETS", "PACKAGER_SECRETS_REGION", "PACKAGER_BEHIND_CDN"];
/**
 * What Lambda sets in every process beside the function's variables (AWS, "Defined runtime environment variables"),
 * and what the shell adds that starts Node. The role's credentials are among them.
 */
const PLATFORM = /^(?:AWS_|LAMBDA_|_)/;
const PLATFORM_NAMES = new Set(
  ["PATH", "LD_LIBRARY_PATH", "LANG", "TZ", "NODE_PATH", "NODE_OPTIONS", "NODE_EXTRA_CA_CERTS"].concat([
    "HOME",
    "HOSTNAME",
    "PWD",
    "OLDPWD",
    "SHLVL",
  ]),
);

/**
 * The variables of a Lambda function's own, without the platform's.
 * @param {Variables} environment of the process
 * @returns {Variables}
 */
export function ownVariables(environment) {
  return Object.fromEntries(
    Object.entries(environment).filter(([name]) => !PLATFORM.test(name) && !PLATFORM_NAMES.has(name)),
  );
}

/**
 * The variables for the app, with the values of its secrets, which are fetched if there are any.
 * @param {Variables} variables the function's; `PACKAGER_SECRETS` has the references of the secrets by name, as JSON
 * @param {Variables} environment of the process, with the credentials
 * @returns {Promise<Variables>} rejects if a secret cannot be had; the message has no value
 */
export async function forApp(variables, environment) {
  const shown = { ...variables };
  for (const name of KEPT_BACK) delete shown[name];
  const references = JSON.parse(variables.PACKAGER_SECRETS || "{}");
  if (Object.keys(references).length === 0) return shown;
  // Most apps have none, and the signing takes time to load.
  const { fetchSecrets } = await import("./secrets.mjs");
  const region = variables.PACKAGER_SECRETS_REGION || environment.AWS_REGION || "us-east-1";
  return { ...shown, ...(await fetchSecrets(references, region, environment)) };
}
