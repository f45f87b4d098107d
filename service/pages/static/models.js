// Models: each with its live version.

import { address, page, send } from "./api.js";
import { byId, count, element, percent, showProblem } from "./elements.js";

async function tile(model) {
  const live = model.live && (await send(address("models", model.name, "versions", model.live)).catch(() => null));
  return element("li", {}, element("a", { className: "card", href: page("models", model.name) },
    element("strong", {}, model.name),
    element("span", { className: "big" }, live ? percent(live.metrics.test_accuracy, 2) : "–"),
    element("span", { className: "fine" }, model.live ? `version ${model.live} is live, of ${count(model.versions)}` : `none of ${count(model.versions)} versions is live`)));
}

async function list() {
  const { models } = await send(address("models"));
  byId("models").replaceChildren(...(await Promise.all(models.map(tile))));
  byId("none").hidden = models.length > 0;
}

list().catch((error) => showProblem("problem", error));
