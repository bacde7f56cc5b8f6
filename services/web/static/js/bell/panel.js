// The list under the bell: what one was told, what of it is unread, and the ways to hear of danger.
import { byId, h, toast } from "../dom.js";
import { get, post, toLogin } from "../api.js";
import { when } from "../format.js";
import { ring } from "./sound.js";

const PAGE = 50;
let notices = [];
let complete = false;

export const isOpen = () => !byId("bell-panel").hidden;

export function toggle(open = !isOpen()) {
  byId("bell-panel").hidden = !open;
  byId("bell").setAttribute("aria-expanded", String(open));
  if (!open) return;
  byId("toast").hidden = true;
  load();
}

/** Below what is red: its buttons stay in reach. */
function place() {
  const red = byId("alarms");
  byId("bell-panel").style.top = red.hidden ? "" : `${Math.max(red.getBoundingClientRect().bottom, 0) + 6}px`;
}

/** Fetch the list anew, if it is open. */
export async function load() {
  if (!isOpen()) return;
  place();
  await attempt(async () => {
    notices = await get("/notices");
    complete = notices.length < PAGE;
    show();
  });
}

async function attempt(step) {
  try {
    await step();
  } catch (error) {
    if (error.status === 401) toLogin();
    else toast(error.message, { alert: true });
  }
}

function show() {
  byId("bell-list").replaceChildren(...(notices.length ? notices.map(row) : [h("li", { class: "empty" }, "没有消息")]));
  byId("bell-more").hidden = complete;
  byId("bell-all").disabled = notices.every((notice) => notice.read);
}

function row(notice) {
  const words = [
    h("b", { class: "notice__title" }, notice.title), h("time", { class: "muted small", datetime: notice.at }, when(notice.at)),
    h("span", { class: "notice__text" }, notice.text),
    notice.read ? null : h("span", { class: "sr-only" }, "未读"),
  ];
  const mark = () => { if (!notice.read) post("/notices/read", { ids: [notice.id] }).catch(() => {}); };
  const item = notice.link
    ? h("a", { class: "notice__open", href: notice.link, on: { click: mark } }, words)
    : h("button", { type: "button", class: "notice__open", on: { click: () => { mark(); notice.read = true; show(); } } }, words);
  return h("li", { class: `notice${notice.read ? "" : " notice_unread"}${notice.loud ? " notice_loud" : ""}` }, item);
}

/** The permission for what stands before other windows is asked for by this button alone. */
function showWays() {
  const button = byId("bell-notify");
  const can = "Notification" in window && window.isSecureContext;
  button.hidden = !can || Notification.permission !== "default";
  byId("bell-notify-state").textContent = !can ? "此浏览器或地址（非 HTTPS）不支持桌面通知"
    : Notification.permission === "granted" ? "桌面通知已开启" : Notification.permission === "denied" ? "桌面通知已被浏览器禁止" : "";
}

byId("bell").addEventListener("click", () => toggle());
byId("bell-close").addEventListener("click", () => { toggle(false); byId("bell").focus(); });
byId("bell-panel").addEventListener("keydown", (event) => { if (event.key === "Escape") { toggle(false); byId("bell").focus(); } });
byId("bell-all").addEventListener("click", () => attempt(async () => {
  await post("/notices/read", { upto: notices[0].id });
  await load();
}));
byId("bell-more").addEventListener("click", () => attempt(async () => {
  const older = await get("/notices", { before: notices.at(-1).id });
  notices = [...notices, ...older];
  complete = older.length < PAGE;
  show();
}));
byId("bell-notify").addEventListener("click", async () => { await Notification.requestPermission(); showWays(); });
byId("bell-try").addEventListener("click", () => { if (!ring()) toast("浏览器没有允许声音，请再点一次", { alert: true }); });
showWays();
