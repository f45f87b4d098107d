// Try: what is drawn or dropped is asked about at once, and the bars move while one draws.

import { address, change, send, sendAsAllowed } from "./api.js";
import { takePicture } from "./camera.js";
import { paintDeeds, paintInk, wipe } from "./digits.js";
import { byId, element, percent, showProblem } from "./elements.js";
import { Pad } from "./pad.js";

const OUTPUTS = "outputs=label,probability,probabilities,input,saliency";
const model = byId("try").dataset.model;

const pad = new Pad(byId("pad"), (event) => {
  byId("hint").hidden = !pad.isEmpty;
  ask(pad.isEmpty ? null : { body: pad.pixels(), type: "application/octet-stream", at: event.timeStamp });
});

// One request at a time: while it is on its way only the newest question waits, and an answer to
// a drawing that is gone by then is dropped.
let waiting = null, asking = false, current = null;

async function ask(question) {
  current = waiting = question;
  byId("many").hidden = true;
  if (!question) return showNothing();
  if (asking) return;
  asking = true;
  while (waiting) {
    const asked = waiting;
    waiting = null;
    try {
      const answers = await Promise.all(versions().map((version) => predict(version, asked)));
      if (current) show(answers, asked);
    } catch (error) {
      if (current) showError(error);
    }
  }
  asking = false;
}

const versions = () => [byId("version").value, byId("other").value].filter(Boolean);

function predict(version, { body, type }) {
  const url = `${address("models", model, "versions", version, "predict")}?${OUTPUTS}`;
  return sendAsAllowed(url, { method: "POST", body, headers: type ? { "Content-Type": type } : {} });
}

function show(answers, { at, bitmap, body }) {
  const [first, second] = answers.map((answer) => answer.predictions[0]);
  showProblem("problem", null);
  byId("digit").textContent = first.label;
  byId("digit").classList.remove("none");
  byId("sure").textContent = `${percent(first.probability)} sure`;
  showBars(answers[0].labels, first, second);
  byId("key").hidden = !second;
  byId("key").replaceChildren(...answers.map((answer) => element("span", {}, `version ${answer.version}: ${answer.predictions[0].label}`)));
  if (bitmap) pad.show(bitmap, first.picture.box);
  if (answers[0].predictions.length > 1) showMany(answers[0], body);
  speak(`${first.label}, ${percent(first.probability, 0)} sure, says version ${answers[0].version}.`);
  measure(at);
  // The bars first: what is painted with them would hold them up.
  later = () => {
    paint(first);
    showCorrections(answers[0]);
  };
}

function showCorrections(answer) {
  const [first] = answer.predictions;
  const buttons = answer.labels.filter((label) => label !== first.label).map((label) => {
    const button = element("button", { type: "button", ariaLabel: `It is a ${label}` }, label);
    button.onclick = () => correct(answer, label);
    return button;
  });
  byId("correct").replaceChildren(byId("correct").firstElementChild, ...buttons);
  byId("correct").hidden = answer.predictions.length > 1;
  byId("kept").textContent = "";
}

/** Keeps what the network saw with the label that is right: the next training can learn it. */
async function correct({ version, predictions: [{ input }] }, label) {
  try {
    const kept = await change("POST", address("feedback"), { model, version, instances: [input], pixel_range: "0-255", label });
    if (!kept) return;
    byId("correct").hidden = true;
    byId("kept").textContent = `Kept as a ${label}, with ${kept.count - 1} others. A job on this data and "feedback" learns them.`;
  } catch (error) {
    showProblem("problem", error);
  }
}

let later = null;
function paint({ input, saliency }) {
  const pixels = input.flat();
  paintInk(byId("seen"), pixels);
  paintDeeds(byId("heat"), pixels, saliency.flat());
}

function showBars(labels, first, second) {
  const bars = byId("bars");
  if (bars.childElementCount !== labels.length) {
    bars.replaceChildren(...labels.map((label) => element("li", {},
      element("span", {}, label),
      element("span", { className: "track", ariaHidden: "true" }, track(), track()),
      element("span", { className: "share" }, "–"))));
  }
  labels.forEach((label, i) => {
    const row = bars.children[i];
    const [one, other] = row.querySelectorAll(".track span");
    row.className = label === first?.label ? "best" : "";
    one.firstChild.style.transform = `scaleX(${first ? first.probabilities[i] : 0})`;
    other.hidden = !second;
    other.firstChild.style.transform = `scaleX(${second ? second.probabilities[i] : 0})`;
    row.lastChild.textContent = first ? percent(first.probabilities[i]) : "–";
  });
}

const track = () => element("span", {}, element("i"));

function showNothing() {
  later = null;
  byId("digit").textContent = "?";
  byId("digit").classList.add("none");
  byId("sure").textContent = "Nothing drawn yet";
  byId("key").hidden = byId("timing").hidden = byId("correct").hidden = true;
  byId("kept").textContent = "";
  showProblem("problem", null);
  showBars([..."0123456789"], null, null);
  [byId("seen"), byId("heat")].forEach(wipe);
}

function showError(error) {
  showNothing();
  byId("sure").textContent = "No answer";
  showProblem("problem", error);
}

function showMany(answer, form) {
  const files = form.getAll("file");
  byId("many").replaceChildren(...answer.predictions.map((prediction, i) => {
    const canvas = element("canvas", { className: "thumb", width: 28, height: 28, role: "img", ariaLabel: `A ${prediction.label}` });
    const figure = element("figure", {}, canvas,
      element("strong", {}, prediction.label),
      element("span", { className: "fine" }, percent(prediction.probability)),
      element("figcaption", { title: files[i].name }, files[i].name));
    queueMicrotask(() => paintInk(canvas, prediction.input.flat()));
    return figure;
  }));
  byId("many").hidden = false;
}

// A screen reader hears the answer once the drawing rests, not with each move of the pen.
let speaking;
function speak(sentence) {
  clearTimeout(speaking);
  speaking = setTimeout(() => (byId("spoken").textContent = sentence), 700);
}

/** Notes how long it took from the pen's event until the bars were painted. */
function measure(at) {
  requestAnimationFrame(() => setTimeout(() => {
    const { duration } = performance.measure("pen to bars", { start: at });
    byId("timing").textContent = `Answered in ${Math.round(duration)} ms, from the pen to the bars.`;
    byId("timing").hidden = false;
    later?.();
    later = null;
  }));
}

async function takeFiles(files) {
  const pictures = [...files];
  if (!pictures.length) return;
  const at = performance.now();
  const form = new FormData();
  for (const picture of pictures) form.append("file", picture);
  pad.clear();
  byId("hint").hidden = true;
  let bitmap = null;
  try {
    bitmap = await createImageBitmap(pictures[0]);
    pad.show(bitmap);
  } catch {
    // The service may know a kind of picture that the browser cannot show, and else says why not.
  }
  ask({ body: form, bitmap, at });
}

function listenToSheet() {
  const sheet = byId("sheet");
  addEventListener("dragover", (event) => { event.preventDefault(); sheet.classList.add("over"); });
  addEventListener("dragleave", () => sheet.classList.remove("over"));
  addEventListener("drop", (event) => {
    event.preventDefault();
    sheet.classList.remove("over");
    takeFiles(event.dataTransfer.files);
  });
  addEventListener("paste", (event) => takeFiles(event.clipboardData.files));
  byId("clear").addEventListener("click", (event) => pad.clear(event));
  byId("undo").addEventListener("click", (event) => pad.undo(event));
  byId("choose").addEventListener("click", () => byId("file").click());
  byId("file").addEventListener("change", (event) => { takeFiles(event.target.files); event.target.value = ""; });
  byId("camera").addEventListener("click", () => takePicture((file) => takeFiles([file]), showError));
}

async function listVersions() {
  const [{ live }, page] = await Promise.all([
    send(address("models", model)),
    send(`${address("models", model, "versions")}?limit=100`),
  ]);
  if (!live) return showUntrained();
  const numbers = page.versions.map((version) => element("option", { value: version.version }, `version ${version.version}`));
  byId("version").replaceChildren(element("option", { value: "live" }, `${model} version ${live}, live`), ...numbers);
  byId("other").replaceChildren(element("option", { value: "" }, "no other"), ...numbers.map((option) => option.cloneNode(true)));
  byId("other").parentElement.hidden = numbers.length < 2;
  for (const select of [byId("version"), byId("other")]) {
    select.addEventListener("change", () => current && ask({ ...current, at: performance.now() }));
  }
}

function showUntrained() {
  byId("try").hidden = true;
  byId("untrained").hidden = false;
}

showNothing();
listenToSheet();
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => current && ask(current));
listVersions().catch((error) => (error.status === 404 ? showUntrained() : showError(error)));
