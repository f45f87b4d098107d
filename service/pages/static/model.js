// A model: what is live, since when and why; its versions; promoting and rolling back.

import { address, change, page, send } from "./api.js";
import { byId, count, element, moment, percent, showProblem, showUnknown } from "./elements.js";
import { showShadows } from "./shadows.js";

const ACTOR = "the page";
const model = byId("model").dataset.model;
let rows = [];

async function show() {
  const [known, { aliases }, first, { history }, { shadows }] = await Promise.all([
    send(address("models", model)),
    send(address("models", model, "aliases")),
    send(`${address("models", model, "versions")}?limit=20`),
    send(address("models", model, "history")),
    send(address("models", model, "shadows")),
  ]);
  byId("model").hidden = false;
  showLive(known.live, aliases.find(({ alias }) => alias === "live"));
  rows = first.versions;
  showVersions(first.next_cursor);
  showShadows(shadows);
  byId("history").replaceChildren(...history.reverse().map(moved));
}

function showLive(live, move) {
  const several = move?.split ? ["Versions", "are"] : ["Version", "is"];
  byId("live").textContent = live ? `${several[0]} ${named(live, move.split, move.shadow)} ${several[1]} live` : "No version is live";
  if (live) byId("why").replaceChildren("Since ", moment(move.at), ", moved by ", ...mover(move));
  else byId("why").textContent = "Promote one below.";
  byId("rollback").hidden = !move?.previous;
  // Where the shares alone have moved, the number is the same as before.
  const before = move?.previous === live ? "what was before" : `version ${move?.previous}`;
  byId("rollback").textContent = `Roll back to ${before}`;
  byId("rollback").onclick = () => ask(`Roll back to ${before}?`, "Roll back", (reason) =>
    change("POST", address("models", model, "rollback"), { reason, actor: ACTOR }));
}

function showVersions(cursor) {
  byId("versions").replaceChildren(...rows.map(version));
  byId("older").hidden = !cursor;
  byId("older").onclick = async () => {
    const further = await send(`${address("models", model, "versions")}?limit=20&cursor=${cursor}`);
    rows = [...rows, ...further.versions];
    showVersions(further.next_cursor);
  };
}

function version(row) {
  const number = row.version;
  const promote = element("button", { type: "button", className: "quiet", ariaLabel: `Promote version ${number}` }, "Promote");
  promote.onclick = () => ask(`Let version ${number} go live?`, "Promote", (reason) =>
    change("PUT", address("models", model, "aliases", "live"), { version: number, reason, actor: ACTOR }));
  const isLive = row.aliases.includes("live");
  return element("tr", {},
    element("td", {}, element("a", { className: "whole", href: page("models", model, "versions", number) }, `Version ${number}`), " ",
      ...row.aliases.map((alias) => element("span", { className: `status ${alias}`, title: alias }, alias))),
    element("td", { className: "number" }, percent(row.test_accuracy, 2)),
    element("td", {}, row.error ?? row.dataset),
    element("td", { className: "number when" }, count(row.parameters)),
    element("td", { className: "when" }, row.parent ? `version ${row.parent}` : "–"),
    element("td", { className: "when" }, moment(row.created_at)),
    element("td", { className: "number" }, isLive ? "" : promote));
}

/** Returns what an alias names: a version, or several with their shares, and who looks on. */
function named(number, split, shadow) {
  const shares = Object.entries(split ?? {}).map(([version, share]) => `${version} (${Number((100 * share).toFixed(2))}\u00a0%)`);
  return `${shares.join(" and ") || number}${shadow ? ` with ${shadow} in the shadow` : ""}`;
}

function moved({ at, alias, from, to, actor, reason, split, shadow, from_split, from_shadow }) {
  const after = from ? `, after ${named(from, from_split, from_shadow)}` : "";
  const names = to ? `${alias} is version ${named(to, split, shadow)}${after}` : `${alias} names nothing${after}`;
  return element("li", {}, moment(at), element("span", {}, `${names}, by `, ...mover({ actor, reason })));
}

/** Returns who moved an alias and why; a job as a link to it. */
function mover({ actor, reason }) {
  const job = actor?.match(/^job (\S+)$/)?.[1];
  const who = job ? element("a", { href: page("jobs", job) }, `job ${job.slice(0, 8)}`) : actor || "hand";
  return [who, reason ? `: ${reason}` : ""];
}

/** Asks why, then moves; shows the model anew, and where that fails the reason. */
function ask(title, verb, order) {
  const dialog = byId("move");
  byId("move-title").textContent = title;
  byId("move-go").textContent = verb;
  byId("reason").value = "";
  dialog.returnValue = "";
  dialog.showModal();
  byId("reason").focus();
  dialog.onclose = async () => {
    if (dialog.returnValue !== "go") return;
    try {
      showProblem("problem", null);
      if (await order(byId("reason").value)) await show();
    } catch (error) {
      showProblem("problem", error);
    }
  };
}

byId("move-cancel").addEventListener("click", () => byId("move").close(""));
show().catch((error) => {
  if (error.status === 404) showUnknown(error);
  else showProblem("problem", error, element("a", { href: page("models") }, "All models"));
});
