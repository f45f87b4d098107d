// A job's status as a small label.

import { element } from "./elements.js";

const WORDS = {
  queued: "waits",
  started: "runs",
  finished: "done",
  failed: "failed",
  stopped: "stopped",
  canceled: "canceled",
  scheduled: "tries again",
};

export function statusText(job) {
  if (job.stopping && job.status === "started") return "stopping";
  if (job.status === "queued" && job.position > 1) return `waits, ${job.position - 1} before it`;
  return WORDS[job.status] ?? job.status;
}

export const statusOf = (job) => element("span", { className: `status ${job.status}` }, statusText(job));
