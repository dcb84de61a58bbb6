// Requests to Central. A write carries a key of its own, so that a repeat has no second effect, and the token where
// one is asked for.

const TOKEN = "central-api-token";
let askForToken = async () => null;

export class Problem extends Error {
  constructor(body, status) {
    super(body?.detail ?? `Central answered ${status}`);
    this.code = body?.code ?? "";
    this.status = status;
  }
}

export function onTokenNeeded(ask) {
  askForToken = ask;
}

export async function read(path) {
  return answer(await fetch(path, { headers: { Accept: "application/json" } }));
}

export async function write(path, body) {
  const key = newKey();
  for (;;) {
    const response = await fetch(path, {
      method: "POST",
      headers: {
        "Idempotency-Key": key,
        ...(body === undefined ? {} : { "Content-Type": "application/json" }),
        ...(stored() ? { Authorization: `Bearer ${stored()}` } : {}),
      },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    if (response.status !== 401) return answer(response);
    const token = await askForToken();
    if (token === null) return answer(response);
    sessionStorage.setItem(TOKEN, token);
  }
}

async function answer(response) {
  const body = await response.json().catch(() => null);
  if (!response.ok) throw new Problem(body, response.status);
  return body;
}

function stored() {
  return sessionStorage.getItem(TOKEN);
}

function newKey() {
  // randomUUID is there on secure origins only; the page may be served over plain HTTP in a local network.
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
