// Asks the API. What changes something takes the token, which the page keeps for this tab alone.

const ROOT = document.documentElement.dataset.root;
const KEY = "inkwell-token";

/** What the service refused, as a sentence for people; `errors` says which fields are to blame. */
export class Refused extends Error {
  constructor(status, problem) {
    super(problem.detail || problem.title || `The service answered ${status}.`);
    this.status = status;
    this.errors = problem.errors || [];
  }
}

/** Returns the address of a part of the API, each step of the path encoded. */
export function address(...steps) {
  return `${ROOT}/api/v1/${steps.map(encodeURIComponent).join("/")}`;
}

/** Returns the address of a page. */
export function page(...steps) {
  return `${ROOT}/${steps.map(encodeURIComponent).join("/")}`;
}

/** Sends a request and returns the answer's JSON. Throws Refused. */
export async function send(url, options = {}) {
  let response;
  try {
    response = await fetch(url, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused(0, { detail: "The service does not answer. Is it running?" });
  }
  const text = await response.text();
  let answer = {};
  try {
    answer = text ? JSON.parse(text) : {};
  } catch {
    throw new Refused(response.status, { detail: `What answered is not Inkwell (${response.status}).` });
  }
  if (!response.ok) throw new Refused(response.status, answer);
  return answer;
}

/** Sends JSON with the token, and asks for it where it is missing or wrong. Null: the person gave up. */
export async function change(method, url, body) {
  return sendWithToken(url, {
    method,
    headers: { "Content-Type": "application/json" },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
}

/** Sends what wants a token here and there only: it is asked for where the service wants one. */
export async function sendAsAllowed(url, options) {
  try {
    if (!keptToken()) return await send(url, options);
  } catch (error) {
    if (error.status !== 401) throw error;
  }
  const answer = await sendWithToken(url, options);
  if (answer === null) throw new Refused(401, { detail: "Predicting wants a token here." });
  return answer;
}

async function sendWithToken(url, options) {
  let token = keptToken() || (await askForToken(""));
  while (token) {
    try {
      const headers = { ...options.headers, Authorization: `Bearer ${token}` };
      const answer = await send(url, { ...options, headers });
      sessionStorage.setItem(KEY, token);
      return answer;
    } catch (error) {
      if (error.status !== 401 && error.status !== 403) {
        if (error instanceof Refused && error.status) sessionStorage.setItem(KEY, token);
        throw error;
      }
      sessionStorage.removeItem(KEY);
      token = await askForToken("This is not the token of this service.");
    }
  }
  return null;
}

/** Returns the token that was kept, if there is one. */
export function keptToken() {
  return sessionStorage.getItem(KEY);
}

let asked = null; // what the open dialog will bring: one answers all who ask meanwhile

function askForToken(wrong) {
  asked ||= openDialog(wrong).finally(() => (asked = null));
  return asked;
}

// No submit button: Enter in the field would press it, as the first of them.
document.getElementById("token-cancel").addEventListener("click", () => document.getElementById("token-dialog").close(""));

function openDialog(wrong) {
  const dialog = document.getElementById("token-dialog");
  const field = document.getElementById("token");
  document.getElementById("token-wrong").textContent = wrong;
  field.value = "";
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "go" ? field.value.trim() : ""), { once: true });
  });
}
