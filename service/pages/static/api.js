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
  let token = sessionStorage.getItem(KEY) || (await askForToken(""));
  while (token) {
    try {
      const answer = await send(url, {
        method,
        headers: { "Content-Type": "application/json", Authorization: `Bearer ${token}` },
        body: body === undefined ? undefined : JSON.stringify(body),
      });
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

function askForToken(wrong) {
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
