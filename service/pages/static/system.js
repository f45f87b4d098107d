// System: looked at again every two seconds; rates are what changed in between.

import { address, page, send } from "./api.js";
import { byId, count, element, moment, showProblem } from "./elements.js";

const EVERY_MS = 2000;
const READY = document.documentElement.dataset.root + "/readyz";
let before = null;

async function look() {
  try {
    const [system, ready] = await Promise.all([send(address("system")), readiness()]);
    showFigures(system, ready);
    showRows("workers", system.workers, worker, system.workers ? "No worker runs: jobs wait until one does. Start one with python -m worker." : "The queue cannot be reached; predictions go on.");
    showRows("processes", system.processes, process, "No process has answered yet: draw a digit.");
    showRows("answered", system.answered, answered, "Nothing was asked yet: draw a digit.");
    showProblem("problem", null);
  } catch (error) {
    showProblem("problem", error);
  }
}

/** Returns what /readyz says, which it also says with its status. */
async function readiness() {
  const response = await fetch(READY);
  return response.json();
}

function showFigures({ waiting, answered: lines }, ready) {
  const sum = (key) => lines.reduce((total, line) => total + line[key], 0);
  const now = { at: performance.now(), requests: sum("requests"), seconds: sum("seconds") };
  if (before && now.requests >= before.requests) {
    const requests = now.requests - before.requests;
    byId("rate").textContent = ((1000 * requests) / (now.at - before.at)).toFixed(1);
    if (requests) byId("latency").textContent = milliseconds((now.seconds - before.seconds) / requests);
  }
  before = now;
  byId("waiting").textContent = waiting ? count(Object.values(waiting).reduce((a, b) => a + b, 0)) : "–";
  byId("ready").textContent = ready.ready ? "yes" : "no";
  const reasons = [ready.reason, ...ready.refused.map((one) => `${one.model} ${one.alias}: ${one.reason}`)].filter(Boolean);
  byId("unready").textContent = reasons.join(" ");
  byId("unready").hidden = !reasons.length;
}

const milliseconds = (seconds) => `${(1000 * seconds).toFixed(1)} ms`;

function showRows(id, things, row, sentence) {
  const rows = things?.length
    ? things.map(row)
    : [element("tr", {}, element("td", { colSpan: 5, className: "fine" }, sentence))];
  byId(id).replaceChildren(...rows);
}

function worker({ name, job_id: job, born_at: born, seen_at: seen }) {
  return element("tr", {},
    element("td", {}, name),
    element("td", {}, job ? element("a", { href: page("jobs", job) }, job.slice(0, 8)) : "waits for one"),
    element("td", { className: "when" }, moment(born)),
    element("td", { className: "when" }, moment(seen)));
}

function process({ serves, last_at: at }, i) {
  const names = serves.map(({ model, version }) => element("a", { href: page("models", model, "versions", version) }, `${model} version ${version}`));
  return element("tr", {},
    element("td", {}, `${i + 1}`),
    element("td", {}, ...names.flatMap((name, j) => (j ? [", ", name] : [name]))),
    element("td", { className: "when" }, moment(at)));
}

function answered({ model, version, requests, rows, failures, seconds }) {
  return element("tr", {},
    element("td", {}, `${model} version ${version}`),
    element("td", { className: "number" }, count(requests)),
    element("td", { className: "number" }, count(rows)),
    element("td", { className: "number when" }, count(failures)),
    element("td", { className: "number" }, requests ? milliseconds(seconds / requests) : "–"));
}

look();
setInterval(() => document.hidden || look(), EVERY_MS);
