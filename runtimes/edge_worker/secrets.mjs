// The values of the app's secrets, fetched once for the process: what runtimes/secrets.py does for nodejs functions.
import { AwsClient } from "aws4fetch";

/** @typedef {Record<string, string | undefined>} Variables */

/** Parameters that one call gives (AWS, "GetParameters"). */
const BATCH = 10;
/** For each of the two attempts that a call has: Lambda gives a start ten seconds. */
const TIMEOUT_MS = 4_000;
const RETRIES = 1;
const SERVICES = /** @type {const} */ ({
  ssm: { target: "AmazonSSM.GetParameters", variable: "AWS_ENDPOINT_URL_SSM" },
  secretsmanager: { target: "secretsmanager.GetSecretValue", variable: "AWS_ENDPOINT_URL_SECRETS_MANAGER" },
});

/**
 * Where a secret is kept: `ssm:/path`, or `secretsmanager:name#key` with a key of its JSON.
 * @typedef {object} Wanted
 * @property {string} name of the variable
 * @property {string} reference
 * @property {keyof typeof SERVICES} store
 * @property {string} id
 * @property {string | undefined} key
 * @property {string} region
 */

/**
 * @param {Record<string, string>} references by the names of the variables
 * @param {string} region
 * @param {Variables} environment with the credentials
 * @returns {Promise<Record<string, string>>} rejects with every name, reference and cause; never with a value
 */
export async function fetchSecrets(references, region, environment) {
  const wanted = Object.entries(references).map(([name, reference]) => parsed(name, reference, region));
  const client = new AwsClient({ ...(await credentials(environment)), retries: 0 });
  const call = (/** @type {Wanted} */ { store, region }, /** @type {object} */ body) =>
    asked(client, store, region, body, environment);
  const parameters = wanted.filter(({ store }) => store === "ssm");
  const secrets = wanted.filter(({ store }) => store === "secretsmanager");
  const same = [...Map.groupBy(secrets, ({ region, id }) => `${region} ${id}`).values()];
  const calls = [
    ...batches(parameters).map((batch) => fromParameters(batch, call)),
    ...same.map((rows) => fromSecret(rows, call)),
  ];
  const values = (await Promise.all(calls)).flat();
  const failures = values.filter(({ failure }) => failure !== undefined);
  if (failures.length) {
    const lines = failures.map(({ row, failure }) => `${row.name} (${row.reference}): ${failure}`);
    throw new Error(`secrets could not be fetched: ${lines.join("; ")}`);
  }
  return Object.fromEntries(values.map(({ row, value }) => [row.name, value ?? ""]));
}

/**
 * @param {string} name
 * @param {string} reference
 * @param {string} region
 * @returns {Wanted}
 */
function parsed(name, reference, region) {
  const [, store, rest] = /^(ssm|secretsmanager):(.+)$/.exec(reference) ?? [];
  if (store === undefined) throw new Error(`${name}: ${reference} names no secret: ssm:… or secretsmanager:…`);
  const [id, key] = store === "secretsmanager" ? rest.split(/#(.*)/s, 2) : [rest];
  const own = id.startsWith("arn:") ? id.split(":")[3] : region;
  return { name, reference, store: /** @type {keyof typeof SERVICES} */ (store), id, key, region: own };
}

/** @typedef {{ row: Wanted, value?: string, failure?: string }} Found */
/** @typedef {(wanted: Wanted, body: object) => Promise<any>} Call */

/**
 * @param {Wanted[]} rows
 * @returns {Wanted[][]}
 */
function batches(rows) {
  return [...Map.groupBy(rows, ({ region }) => region).values()].flatMap((same) => {
    const made = [];
    for (let at = 0; at < same.length; at += BATCH) made.push(same.slice(at, at + BATCH));
    return made;
  });
}

/**
 * @param {Wanted[]} batch
 * @param {Call} call
 * @returns {Promise<Found[]>}
 */
async function fromParameters(batch, call) {
  try {
    const Names = [...new Set(batch.map(({ id }) => id))];
    const { Parameters } = await call(batch[0], { Names, WithDecryption: true });
    return batch.map((row) => {
      const found = Parameters.find(
        (/** @type {any} */ item) => item.Name + (item.Selector ?? "") === row.id || item.ARN === row.id,
      );
      return found === undefined ? { row, failure: "there is no such parameter" } : { row, value: found.Value };
    });
  } catch (error) {
    return batch.map((row) => ({ row, failure: reason(error) }));
  }
}

/**
 * @param {Wanted[]} rows of one secret
 * @param {Call} call
 * @returns {Promise<Found[]>}
 */
async function fromSecret(rows, call) {
  try {
    const { SecretString } = await call(rows[0], { SecretId: rows[0].id });
    return rows.map((row) => picked(row, SecretString));
  } catch (error) {
    return rows.map((row) => ({ row, failure: reason(error) }));
  }
}

/**
 * @param {Wanted} row
 * @param {string | undefined} text
 * @returns {Found}
 */
function picked(row, text) {
  if (text === undefined) return { row, failure: "it is binary, not text" };
  if (row.key === undefined) return { row, value: text };
  let document;
  try {
    document = JSON.parse(text);
  } catch {
    return { row, failure: "it is not JSON" };
  }
  const isObject = typeof document === "object" && document !== null && !Array.isArray(document);
  if (!isObject || !Object.hasOwn(document, row.key)) return { row, failure: `it has no key ${row.key}` };
  const value = document[row.key];
  return { row, value: typeof value === "string" ? value : JSON.stringify(value) };
}

/**
 * @param {AwsClient} client
 * @param {keyof typeof SERVICES} service
 * @param {string} region
 * @param {object} body
 * @param {Variables} environment
 * @returns {Promise<any>}
 */
async function asked(client, service, region, body, environment) {
  const { target, variable } = SERVICES[service];
  const domain = region.startsWith("cn-") ? "amazonaws.com.cn" : "amazonaws.com";
  const url = environment[variable] || environment.AWS_ENDPOINT_URL || `https://${service}.${region}.${domain}/`;
  const request = {
    method: "POST",
    headers: { "content-type": "application/x-amz-json-1.1", "x-amz-target": target },
    body: JSON.stringify(body),
    aws: { service, region },
  };
  for (let attempt = 0; ; attempt += 1) {
    try {
      const response = await client.fetch(url, { ...request, signal: AbortSignal.timeout(TIMEOUT_MS) });
      if (response.ok) return await response.json();
      if (attempt === RETRIES || (response.status < 500 && response.status !== 429)) {
        throw new Refused(await refusedBecause(response));
      }
    } catch (error) {
      if (error instanceof Refused || attempt === RETRIES) throw error;
    }
  }
}

/** The service has answered, with an error. */
class Refused extends Error {}

/** @param {Response} response */
async function refusedBecause(response) {
  try {
    const { __type: type, message, Message } = await response.json();
    return [String(type).split("#").at(-1), message ?? Message].filter(Boolean).join(": ");
  } catch {
    return `it answered ${response.status}`;
  }
}

/** @param {unknown} error */
function reason(error) {
  if (!(error instanceof Error)) return String(error);
  if (error.name === "TimeoutError") return `there was no answer after ${TIMEOUT_MS / 1000} seconds`;
  const { code, message } = /** @type {{ code?: string, message?: string }} */ (error.cause ?? {});
  return code ?? message ?? error.message;
}

/**
 * Those of the role: in the environment, or from the address that the platform names in it.
 * @param {Variables} environment
 * @returns {Promise<{ accessKeyId: string, secretAccessKey: string, sessionToken?: string }>}
 */
async function credentials(environment) {
  const { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN } = environment;
  if (AWS_ACCESS_KEY_ID && AWS_SECRET_ACCESS_KEY) {
    return {
      accessKeyId: AWS_ACCESS_KEY_ID,
      secretAccessKey: AWS_SECRET_ACCESS_KEY,
      sessionToken: AWS_SESSION_TOKEN || undefined,
    };
  }
  const { AWS_CONTAINER_CREDENTIALS_FULL_URI: url, AWS_CONTAINER_AUTHORIZATION_TOKEN: token } = environment;
  if (!url) throw new Error("secrets could not be fetched: the function has no credentials in its environment");
  const headers = token ? { authorization: token } : undefined;
  const response = await fetch(url, { headers, signal: AbortSignal.timeout(TIMEOUT_MS) });
  if (!response.ok) throw new Error(`secrets could not be fetched: the credentials answered ${response.status}`);
  const { AccessKeyId, SecretAccessKey, Token } = await response.json();
  return { accessKeyId: AccessKeyId, secretAccessKey: SecretAccessKey, sessionToken: Token };
}
