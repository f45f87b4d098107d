// Jobs: the list, which keeps itself up to date, and the form, which is checked while one types.

import { address, change, keptToken, page, send } from "./api.js";
import { byId, count, dataOf, duration, element, moment, percent, showProblem } from "./elements.js";
import { statusOf } from "./statuses.js";

const EVERY_MS = 2000;
const PAUSE_MS = 350; // after the last key, before the form is checked
const NUMBERS = ["epochs", "batch_size", "seed"];

const form = byId("form");
// Not form.dataset: that is the field of that name.
const presets = JSON.parse(form.getAttribute("data-presets"));
let older = []; // pages that were asked for beyond the first

function row(job) {
  const { config, progress, result } = job;
  const done = progress?.epoch ?? 0;
  return element("tr", {},
    element("td", {}, element("a", { href: page("jobs", job.id) }, `${config.model} on ${dataOf(config)}`)),
    element("td", {}, statusOf(job)),
    element("td", { className: "wide" }, job.status === "started"
      ? element("progress", { max: 1, value: progress?.fraction ?? 0, ariaLabel: `${done} of ${config.epochs} epochs` })
      : `${done || (result ? config.epochs : 0)} of ${config.epochs}`),
    element("td", { className: "number" }, percent(result?.test_accuracy ?? progress?.validation_accuracy, 2)),
    element("td", { className: "when" }, moment(job.times.created_at)));
}

async function list() {
  try {
    const newest = await send(`${address("jobs")}?limit=20`);
    const jobs = [...newest.jobs, ...older];
    byId("rows").replaceChildren(...jobs.map(row));
    byId("list").hidden = !jobs.length;
    byId("none").hidden = jobs.length > 0;
    await listSweeps();
    if (!older.length) setCursor(newest.next_cursor);
    showProblem("list-problem", null);
  } catch (error) {
    showProblem("list-problem", error);
  }
}

async function listSweeps() {
  const { sweeps } = await send(`${address("sweeps")}?limit=5`);
  byId("sweeps").replaceChildren(...sweeps.map((sweep) => element("tr", {},
    element("td", {}, element("a", { href: page("sweeps", sweep.id) }, `${sweep.model}: ${sweep.parameters.join(", ")}`)),
    element("td", {}, element("span", { className: "status" }, sweep.status)),
    element("td", { className: "when" }, moment(sweep.times.created_at)))));
  byId("sweeps-section").hidden = !sweeps.length;
}

function setCursor(cursor) {
  byId("older").hidden = !cursor;
  byId("older").dataset.cursor = cursor ?? "";
}

async function listOlder() {
  const further = await send(`${address("jobs")}?limit=20&cursor=${byId("older").dataset.cursor}`);
  older = [...older, ...further.jobs];
  setCursor(further.next_cursor);
  list();
}

/** Offers the data sets that were uploaded, beside those that come with Inkwell. */
async function listDatasets() {
  const { datasets } = await send(address("datasets"));
  const names = datasets.filter(({ uploaded, error }) => uploaded && !error).map(({ name }) => name);
  form.elements.dataset.append(...names.map((name) => element("option", {}, name)));
}

/** Returns the job as the form says it; what is left empty is the preset's or the service's choice. */
function config() {
  const fields = Object.fromEntries(new FormData(form));
  const ofPreset = dataOfPreset(fields.preset);
  const names = fields.dataset === ofPreset[0] ? ofPreset : [fields.dataset];
  const dataset = fields.feedback ? [...names, "feedback"] : names;
  const job = { model: fields.model.trim(), dataset: dataset.length > 1 ? dataset : dataset[0], promote: fields.promote };
  if (fields.preset) job.preset = fields.preset;
  for (const name of NUMBERS) if (fields[name].trim()) job[name] = asNumber(fields[name]);
  if (fields.learning_rate.trim()) {
    job.optimizer = { ...(presets[fields.preset]?.optimizer ?? { type: "adam" }), learning_rate: asNumber(fields.learning_rate) };
  }
  return job;
}

/** Returns the data sets that a preset trains on; it is tested with the first. */
const dataOfPreset = (preset) => [presets[preset]?.dataset ?? []].flat();

/** Returns a number, or the text where it is none: the service then says what it expected. */
const asNumber = (text) => (Number.isNaN(Number(text)) ? text.trim() : Number(text));

let checking;
function checkSoon() {
  clearTimeout(checking);
  checking = setTimeout(check, PAUSE_MS);
}

async function check() {
  if (!keptToken()) return;
  try {
    const told = await change("POST", `${address("jobs")}?dry_run=true`, config());
    if (told) showEstimate(told);
    showErrors([]);
  } catch (error) {
    byId("estimate").textContent = "";
    showErrors(error.errors?.length ? error.errors : [{ pointer: "", detail: error.message }]);
  }
}

function showEstimate({ config: whole, parameters, seconds, memory_bytes: bytes }) {
  byId("estimate").textContent = `${count(parameters)} parameters, ${count(Math.ceil(bytes / 2 ** 20))} MB, about ${duration(seconds)}.`;
  for (const name of NUMBERS) form.elements[name].placeholder = whole[name] ?? "all";
  form.elements.learning_rate.placeholder = whole.optimizer.learning_rate;
}

function showErrors(errors) {
  const others = [];
  for (const place of form.querySelectorAll("[data-for]")) {
    place.textContent = "";
    place.previousElementSibling.removeAttribute("aria-invalid");
  }
  for (const { pointer, detail } of errors) {
    const place = form.querySelector(`[data-for="${CSS.escape(pointer.slice(1))}"]`);
    if (place) {
      place.textContent = detail;
      place.previousElementSibling.setAttribute("aria-invalid", "true");
    } else others.push(detail);
  }
  showProblem("form-problem", others.length ? new Error(others.join(" ")) : null);
}

async function start(event) {
  event.preventDefault();
  try {
    const job = await change("POST", address("jobs"), config());
    if (job) location.href = page("jobs", job.id);
  } catch (error) {
    showErrors(error.errors?.length ? error.errors : [{ pointer: "", detail: error.message }]);
  }
}

form.elements.preset.addEventListener("change", () => {
  const preset = form.elements.preset.value;
  if (preset) form.elements.dataset.value = dataOfPreset(preset)[0];
});
form.addEventListener("input", checkSoon);
form.addEventListener("submit", start);
byId("older").addEventListener("click", () => listOlder().catch((error) => showProblem("list-problem", error)));
list();
listDatasets().catch((error) => showProblem("form-problem", error));
check();
setInterval(() => document.hidden || list(), EVERY_MS);
