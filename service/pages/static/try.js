// Try: what is drawn or dropped is asked about at once, and the bars move while one draws.

import { address, change, send, sendAsAllowed } from "./api.js";
import { showBars } from "./bars.js";
import { takePicture } from "./camera.js";
import { paintDeeds, paintInk, wipe } from "./digits.js";
import { byId, element, percent, showProblem } from "./elements.js";
import { oneAtATime } from "./one-at-a-time.js";
import { Pad } from "./pad.js";

const BARS = "label,probability,probabilities";
const SIGHTS = "label,input,saliency";
const ALL = `${BARS},input,saliency`;
const SIGHTS_PAUSE_MS = 100; // while one draws: the bars are asked for with each move, these so often
const model = byId("try").dataset.model;

const pad = new Pad(byId("pad"), (event) => {
  byId("hint").hidden = !pad.isEmpty;
  ask(pad.isEmpty ? null : { body: pad.pixels(), type: "application/octet-stream", at: event.timeStamp });
});

let current = null; // the newest question
let sheet = 0; // counts what was wiped: an answer to a drawing that is gone is dropped

function ask(question) {
  current = question;
  byId("many").hidden = true;
  if (!question) return showNothing();
  answer({ ...question, sheet });
}

// The bars come first and alone: what decided takes the service three times as long to say.
const answer = oneAtATime(async (question) => {
  try {
    const outputs = question.pictures ? ALL : BARS;
    const answers = await Promise.all(versions().map((version) => predict(version, question, outputs)));
    if (question.sheet === sheet) show(answers, question);
  } catch (error) {
    if (question.sheet === sheet) showError(error);
  }
});

const explain = oneAtATime(async (question) => {
  try {
    const answered = await predict(versions()[0], question, SIGHTS);
    if (question.sheet === sheet) showSights(answered);
  } catch (error) {
    if (question.sheet === sheet) showError(error);
  }
  await new Promise((resolve) => setTimeout(resolve, SIGHTS_PAUSE_MS));
});

const versions = () => [byId("version").value || "live", byId("other").value].filter(Boolean);

function predict(version, { body, type }, outputs) {
  const url = `${address("models", model, "versions", version, "predict")}?outputs=${outputs}`;
  return sendAsAllowed(url, { method: "POST", body, headers: type ? { "Content-Type": type } : {} });
}

function show(answers, question) {
  const [answered] = answers;
  const [first, second] = answers.map((answer) => answer.predictions[0]);
  showProblem("problem", null);
  byId("digit").textContent = first.label;
  byId("digit").classList.remove("none");
  byId("sure").textContent = `${percent(first.probability)} sure`;
  showBars(answered.labels, first, second);
  byId("key").hidden = !second;
  byId("key").replaceChildren(...answers.map((answer) => element("span", {}, `version ${answer.version}: ${answer.predictions[0].label}, ${percent(answer.predictions[0].probability)}`)));
  if (byId("version").value === "live") byId("version").options[0].text = liveName(answered.version);
  if (question.pictures) showPictures(answered, question);
  listVersions();
  speak(`${first.label}, ${percent(first.probability, 0)} sure, says version ${answered.version}.`);
  whenPainted(() => {
    measure(question);
    if (question.sheet !== sheet) return;
    if (question.pictures) showSights(answered);
    else explain(question);
  });
}

function showPictures({ predictions, refused = [] }, { bitmap, pictures }) {
  const [{ picture }] = predictions;
  if (bitmap && picture.file === pictures[0].name) pad.show(bitmap, picture.box);
  if (predictions.length > 1) showMany(predictions);
  if (refused.length) showProblem("problem", new Error(refused.map(({ detail }) => detail).join(" ")));
}

function showSights(answer) {
  const [{ input, saliency }] = answer.predictions;
  const pixels = input.flat();
  paintInk(byId("seen"), pixels);
  paintDeeds(byId("heat"), pixels, saliency.flat());
  showCorrections(answer);
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
    byId("kept").textContent = `Kept as a ${label}, with ${kept.count - 1} others. A job "with the corrected examples" learns them.`;
  } catch (error) {
    showProblem("problem", error);
  }
}

function showNothing() {
  sheet++;
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

function showMany(predictions) {
  byId("many").replaceChildren(...predictions.map(({ label, probability, input, picture }) => {
    const canvas = element("canvas", { className: "thumb", width: 28, height: 28, role: "img", ariaLabel: `A ${label}` });
    const figure = element("figure", {}, canvas,
      element("strong", {}, label),
      element("span", { className: "fine" }, percent(probability)),
      element("figcaption", { title: picture.file }, picture.file));
    queueMicrotask(() => paintInk(canvas, input.flat()));
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

/** Calls back when what was changed until now has been painted. */
function whenPainted(callback) {
  requestAnimationFrame(() => setTimeout(callback));
}

/** Notes how long it took from the pen's event, or the picture's coming, until now. */
function measure({ at, pictures }) {
  performance.clearMeasures();
  const { duration } = performance.measure("pen to bars", { start: at });
  byId("timing").textContent = `Answered in ${Math.round(duration)} ms, from the ${pictures ? "picture" : "pen"} to the bars.`;
  byId("timing").hidden = false;
}

async function takeFiles(files, none = "") {
  const pictures = [...files];
  if (!pictures.length) return none && showProblem("problem", new Error(none));
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
  ask({ body: form, pictures, bitmap, at });
}

function listenToSheet() {
  const sheet = byId("sheet");
  addEventListener("dragover", (event) => { event.preventDefault(); sheet.classList.add("over"); });
  addEventListener("dragleave", () => sheet.classList.remove("over"));
  addEventListener("drop", (event) => {
    event.preventDefault();
    sheet.classList.remove("over");
    takeFiles(event.dataTransfer.files, "What was dropped is no file: drop a picture file.");
  });
  addEventListener("paste", (event) => {
    if (!event.target.matches?.("input")) takeFiles(event.clipboardData.files, "There is no picture in what was pasted: copy one, or choose a file.");
  });
  byId("clear").addEventListener("click", (event) => pad.clear(event));
  byId("undo").addEventListener("click", (event) => pad.undo(event));
  byId("choose").addEventListener("click", () => byId("file").click());
  byId("file").addEventListener("change", (event) => { takeFiles(event.target.files); event.target.value = ""; });
  byId("camera").addEventListener("click", () => takePicture((file) => takeFiles([file]), showError));
}

let listing = null; // the list on its way or shown; where it cannot be had, the next answer has it asked for again

function listVersions() {
  listing ||= readVersions().catch((error) => {
    listing = null;
    if (error.status === 404) showInstead("untrained");
    else if (!current) showError(error);
  });
}

async function readVersions() {
  const [{ live }, page] = await Promise.all([
    send(address("models", model)),
    send(`${address("models", model, "versions")}?limit=100`),
  ]);
  if (!live) return showInstead(page.versions.length ? "unpromoted" : "untrained");
  const numbers = page.versions.map((version) => element("option", { value: version.version }, `version ${version.version}`));
  byId("version").replaceChildren(element("option", { value: "live" }, liveName(live)), ...numbers);
  byId("other").replaceChildren(element("option", { value: "" }, "no other version"), ...numbers.map((option) => option.cloneNode(true)));
  byId("other").parentElement.hidden = numbers.length < 2;
  for (const select of [byId("version"), byId("other")]) {
    select.addEventListener("change", () => current && ask({ ...current, at: performance.now() }));
  }
}

const liveName = (version) => `${model} version ${version}, live`;

/** Shows why nothing can be drawn yet, and what to do about it. */
function showInstead(id) {
  byId("try").hidden = true;
  byId(id).hidden = false;
}

showNothing();
listenToSheet();
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => current && ask(current));
listVersions();
