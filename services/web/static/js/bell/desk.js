// What the tabs of a browser have in common: one stream for all, and one tab that sounds. Runs in a shared worker, whose
// timers a browser does not slow down for hidden tabs; where there is none, in the tab itself.
import { follow } from "./feed.js";
import { Tabs, fresh, newest } from "./news.js";

const RING_EVERY = 8000;

/** @returns {(tab: {postMessage: (message: Object) => void}, message: {what: string}) => void} takes what a tab says */
export function openDesk() {
  const tabs = new Tabs();
  let last = null;
  let seen = null;

  const ring = () => tabs.speaker?.postMessage({ what: "ring" });
  follow((bell) => {
    const loud = fresh(seen, bell).filter((notice) => notice.loud);
    const begins = bell.alarms.length > (last?.alarms.length || 0);
    seen = newest(seen, bell);
    last = bell;
    for (const tab of tabs.all) tab.postMessage({ what: "bell", bell });
    if (loud.length) tabs.speaker?.postMessage({ what: "loud", notices: loud });
    if (loud.length || begins) ring();
  });
  setInterval(() => { if (last?.alarms.length) ring(); }, RING_EVERY);

  return (tab, { what }) => {
    if (what === "hello") {
      tabs.add(tab);
      if (last) tab.postMessage({ what: "bell", bell: last });
    } else if (what === "unlocked") {
      tabs.unlock(tab);
      if (last?.alarms.length) ring();
    } else if (what === "bye") tabs.remove(tab);
  };
}
