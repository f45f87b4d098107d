// Asking faster than answers come: nothing piles up.

/**
 * Returns a function that lets `work` do one thing at a time; of what comes meanwhile the newest
 * alone waits. `work` returns a promise that does not fail.
 */
export function oneAtATime(work) {
  let waiting = null, busy = false;
  return async (thing) => {
    waiting = thing;
    if (busy) return;
    busy = true;
    while (waiting) {
      const next = waiting;
      waiting = null;
      await work(next);
    }
    busy = false;
  };
}
