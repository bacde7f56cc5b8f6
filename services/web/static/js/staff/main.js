// The case console: queue on the left, case on the right; on a phone one after the other.
import "../nav.js";
import { byId, toast } from "../dom.js";
import { toLogin } from "../api.js";
import { Queue } from "./queue.js";
import { Detail } from "./detail.js";
import { tick } from "./common.js";

const POLL = 5000;
const { user, case: initialCase, departments } = document.body.dataset;
const known = JSON.parse(departments || "[]");

const queue = new Queue({ open: (caseNo) => go(caseNo) });
const detail = new Detail({
  user,
  departments: () => (known.length ? known : [...queue.departments].sort()),
  changed: () => {
    queue.polls = 0; // the tabs count again at once
    return refresh(queue);
  },
  back: () => go(""),
});

function go(caseNo, { push = true } = {}) {
  if (push) history.pushState({ caseNo }, "", caseNo ? `/staff/cases/${encodeURIComponent(caseNo)}` : "/staff");
  document.body.classList.toggle("console-page_case", Boolean(caseNo));
  queue.select(caseNo);
  detail.open(caseNo).then(() => { if (caseNo) byId("detail").focus({ preventScroll: true }); }, failed);
}

async function refresh(part) {
  try {
    await part.load();
  } catch (error) {
    failed(error);
  }
}

function failed(error) {
  if (error.status === 401) toLogin();
  else toast(error.message, { alert: true });
}

window.addEventListener("popstate", () => {
  const match = /^\/staff\/cases\/([^/]+)$/.exec(location.pathname);
  go(match ? decodeURIComponent(match[1]) : "", { push: false });
});

async function poll() {
  if (!document.hidden) await Promise.all([refresh(queue), refresh(detail)]);
  setTimeout(poll, POLL);
}

document.addEventListener("visibilitychange", () => {
  if (!document.hidden) { refresh(queue); refresh(detail); }
});
setInterval(tick, 1000);
if (initialCase) go(initialCase, { push: false });
queue.choose("new").catch(failed).finally(() => setTimeout(poll, POLL));
