// The bell of every page of the staff: unread count here and in the tab's title, danger in red, sound, and a notice of the
// browser for what is loud, also while the tab is hidden.
import { byId, toast } from "../dom.js";
import { post } from "../api.js";
import { showAlarms, soundIs } from "./alarms.js";
import { count, fresh, newest, titleOf } from "./news.js";
import { isOpen, load, toggle } from "./panel.js";
import { afterFirstClick, ring } from "./sound.js";

const title = document.title;
let seen = null;
let marking = "";

/** The way to the desk that all tabs share; without shared workers this tab has a desk of its own. */
function connect(hear) {
  if ("SharedWorker" in window) {
    const { port } = new SharedWorker("/static/js/bell/worker.js", { type: "module", name: "bell" });
    port.addEventListener("message", ({ data }) => hear(data));
    port.start();
    return (message) => port.postMessage(message);
  }
  const own = { postMessage: hear };
  const desk = import("./desk.js").then(({ openDesk }) => openDesk());
  return (message) => { desk.then((tell) => tell(own, message)); };
}

const tell = connect((message) => {
  if (message.what === "bell") show(message.bell);
  else if (message.what === "ring") ring();
  else if (message.what === "loud") message.notices.forEach(notify);
});

function show(bell) {
  const badge = byId("bell-count");
  badge.hidden = !bell.unread;
  badge.textContent = count(bell.unread);
  byId("bell").setAttribute("aria-label", bell.unread ? `消息，${count(bell.unread)} 条未读` : "消息");
  byId("bell").classList.toggle("bell_loud", bell.alarms.length > 0);
  document.title = titleOf(title, bell);
  showAlarms(bell.alarms);
  const news = fresh(seen, bell);
  seen = newest(seen, bell);
  // What is loud stands in red already.
  const last = news.filter((notice) => !notice.loud).at(-1);
  if (last && !isOpen()) toast(`${last.title}：${last.text}`);
  load();
  readHere(bell);
}

/** What is told of the case that somebody looks at is read by that. */
function readHere({ news }) {
  const match = /^\/staff\/cases\/([^/]+)$/.exec(location.pathname);
  const caseNo = match && decodeURIComponent(match[1]);
  if (document.hidden || !caseNo || !news.some((notice) => notice.body.case_no === caseNo)) return;
  const newestOfIt = `${caseNo}:${news[0].id}`;
  if (marking === newestOfIt) return;
  marking = newestOfIt;
  post("/notices/read", { case_no: caseNo }).catch(() => { marking = ""; });
}

function notify(notice) {
  if (!("Notification" in window) || Notification.permission !== "granted") return;
  try {
    const shown = new Notification(notice.title, { body: notice.text, tag: `huiying-${notice.id}`, requireInteraction: true, icon: "/static/img/favicon.svg" });
    shown.addEventListener("click", () => { window.focus(); toggle(true); shown.close(); });
  } catch {
    // phones know them from service workers only; the page rings all the same
  }
}

tell({ what: "hello" });
afterFirstClick(() => { soundIs(true); tell({ what: "unlocked" }); });
window.addEventListener("pagehide", () => tell({ what: "bye" }));
window.addEventListener("pageshow", (event) => { if (event.persisted) tell({ what: "hello" }); });
