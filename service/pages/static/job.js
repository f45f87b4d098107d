// A job, live: its curves grow with each epoch, which the service sends as an event.

import { address, change, page, send } from "./api.js";
import { drawCurves } from "./curves.js";
import { byId, dataOf, duration, element, moment, percent, showProblem, showUnknown } from "./elements.js";
import { statusText } from "./statuses.js";

const EVERY_MS = 1000;
const GOES_ON = ["queued", "started", "scheduled"];
const id = byId("job").dataset.id;
let history = [], job = null, stream = null;

async function look() {
  try {
    show(await send(address("jobs", id)));
    showProblem("page-problem", null);
  } catch (error) {
    if (error.status === 404) return showUnknown(error);
    showProblem("page-problem", error, element("a", { href: page("jobs") }, "All jobs"));
  }
  if (!job || GOES_ON.includes(job.status)) setTimeout(look, EVERY_MS);
}

function show(now) {
  job = now;
  const { config, progress, result, status } = job;
  const runs = GOES_ON.includes(status);
  byId("job").hidden = false;
  byId("title").textContent = `${config.model} on ${dataOf(config)}`;
  byId("what").replaceChildren("Posted ", moment(job.times.created_at), " as ", element("code", {}, job.id));
  byId("status").textContent = statusText(job);
  byId("status").className = `status ${status}`;
  byId("stop").hidden = !runs;
  byId("stop").disabled = job.stopping;
  byId("resume").hidden = !["failed", "stopped", "canceled"].includes(status);
  byId("running").hidden = status !== "started";
  byId("progress").value = progress?.fraction ?? 0;
  byId("left").textContent = progress
    ? `Epoch ${Math.min(progress.epoch + 1, config.epochs)} of ${config.epochs}, ${duration(progress.eta_seconds)} left`
    : "Loading the data";
  showOutcome(result, job.error);
  byId("story").replaceChildren(...job.story.map((line) => element("li", {}, moment(line.at), element("span", {}, line.event))));
  byId("config").textContent = JSON.stringify(config, null, 2);
  if (job.history.length >= history.length) history = job.history;
  draw();
  if (runs && !stream) listen();
}

const draw = () => drawCurves(history, job.config.epochs, GOES_ON.includes(job.status));

function showOutcome(result, error) {
  const place = byId("outcome");
  place.hidden = !result && !error;
  if (error) place.replaceChildren(`${error} `);
  else if (result) {
    const name = `Version ${result.version}`;
    place.replaceChildren(
      element("a", { href: page("models", job.config.model, "versions", result.version) }, name),
      ` reads ${percent(result.test_accuracy, 2)} of the test images right. ${result.promoted ? "It went live" : "It did not go live"}: ${result.reason}`);
  }
}

function listen() {
  stream = new EventSource(address("jobs", id, "events"));
  stream.addEventListener("epoch", (event) => {
    const line = JSON.parse(event.data);
    if (line.epoch > history.length) history = [...history, line];
    draw();
  });
  stream.addEventListener("end", (event) => {
    stream.close();
    stream = null;
    const ended = JSON.parse(event.data);
    if (ended) show(ended);
  });
  // Where too many watch, the job is looked at each second all the same.
  stream.addEventListener("error", () => stream?.readyState === EventSource.CLOSED && (stream = null));
}

function order(what) {
  return async () => {
    try {
      showProblem("problem", null);
      const answer = await change("POST", address("jobs", id, what));
      if (!answer) return;
      show(answer);
      if (what === "resume") look();
    } catch (error) {
      showProblem("problem", error);
    }
  };
}

byId("stop").addEventListener("click", order("stop"));
byId("resume").addEventListener("click", order("resume"));
addEventListener("resize", () => job && draw());
look();
