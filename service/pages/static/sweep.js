// A sweep: its trials as a table, the best first, and as a plot that the service draws.

import { address, change, page, send } from "./api.js";
import { breakable, byId, duration, element, moment, percent, showProblem, showUnknown } from "./elements.js";

const EVERY_MS = 2000;
const GOES_ON = ["waiting", "running", "publishing", "stopping"];
const id = byId("sweep").dataset.id;

async function look() {
  let sweep;
  try {
    sweep = await send(address("sweeps", id));
    show(sweep);
    showProblem("page-problem", null);
  } catch (error) {
    if (error.status === 404) return showUnknown(error);
    showProblem("page-problem", error, element("a", { href: page("jobs") }, "All jobs and sweeps"));
  }
  if (!sweep || GOES_ON.includes(sweep.status)) setTimeout(look, EVERY_MS);
}

function show(sweep) {
  const { trials, best, result, status } = sweep;
  byId("sweep").hidden = false;
  byId("title").replaceChildren(`${sweep.model}: `, ...breakable(sweep.parameters.join(", ")));
  byId("status").textContent = status;
  byId("status").className = `status ${status === "running" ? "started" : status}`;
  byId("what").replaceChildren("Posted ", moment(sweep.times.created_at), " as ", element("code", {}, sweep.id));
  byId("stop").hidden = !GOES_ON.includes(status);
  byId("stop").disabled = status === "stopping";
  // While the best is published its job has a result without a version.
  const done = Boolean(result?.version);
  byId("outcome").hidden = !done && !sweep.error;
  byId("outcome").replaceChildren(sweep.error ?? (done ? published(sweep.model, result) : ""));
  showPlot(sweep).catch((error) => showProblem("problem", error));
  byId("trials").replaceChildren(...trials.map((trial) => row(trial, best?.job === trial.job)));
}

/** Shows the service's drawing, whose lines say which trial they are of and follow the colours here. */
async function showPlot({ plot, metric, trials }) {
  const response = await fetch(plot);
  if (!response.ok) return;
  byId("plot").innerHTML = await response.text();
  const label = `The ${metric.replaceAll("_", " ")} of ${trials.length} trials; the table has what each reached.`;
  byId("plot").firstElementChild.setAttribute("aria-label", label);
}

function published(model, result) {
  return element("span", {}, "The best is ",
    element("a", { href: page("models", model, "versions", result.version) }, `version ${result.version}`),
    `, which reads ${percent(result.test_accuracy, 2)} of the test images right.`);
}

function row(trial, isBest) {
  const name = Object.entries(trial.parameters).map(([key, value], i, { length }) =>
    element("span", {}, ...breakable(key), " =\u00a0", element("code", {}, JSON.stringify(value)), i + 1 < length ? "," : ""));
  return element("tr", {},
    element("td", {}, element(trial.job ? "a" : "span", { className: "trial", href: trial.job && page("jobs", trial.job) }, ...name), 
      isBest ? element("span", { className: "status live" }, "best") : "",
      trial.status === "finished" ? "" : element("span", { className: `status narrow ${trial.status}`, title: trial.error }, trial.status)),
    element("td", { className: "wide", title: trial.error }, element("span", { className: `status ${trial.status}` }, trial.status)),
    element("td", { className: "number" }, percent(trial.validation_accuracy, 2)),
    element("td", { className: "number wide" }, (trial.validation_loss ?? trial.loss)?.toPrecision(3) ?? "–"),
    element("td", { className: "number when" }, trial.epoch ?? "–"),
    element("td", { className: "number when" }, duration(trial.seconds)));
}

byId("stop").addEventListener("click", async () => {
  try {
    showProblem("problem", null);
    const stopped = await change("POST", address("sweeps", id, "stop"));
    if (stopped) show(stopped);
  } catch (error) {
    showProblem("problem", error);
  }
});
look();
