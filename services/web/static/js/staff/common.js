// What queue and detail both show of a case.
import { h, svg } from "../dom.js";
import { span, when, word } from "../format.js";

/**
 * Time left of a running clock against the wall clock.
 * @returns {{level: "normal"|"warning"|"overdue", text: string}}
 */
export function timeLeft(dueAt, warningAt, now) {
  const left = Date.parse(dueAt) - now;
  if (left <= 0) return { level: "overdue", text: `已逾期 ${span(-left)}` };
  return { level: Date.parse(warningAt) <= now ? "warning" : "normal", text: `剩 ${span(left)}` };
}

/** Is this clock still counting? A breached one is, until what it waits for has come. */
function counts(clock, kase) {
  if (clock.state === "running") return true;
  const answered = clock.target === "resolution" ? kase.resolved_at : kase.first_response_at;
  return clock.state === "breached" && isOpen(kase) && !answered;
}

/** The counting clock that ends first, or null. */
export function nextClock(kase) {
  return (kase.clocks || []).filter((clock) => counts(clock, kase))
    .sort((a, b) => Date.parse(a.due_at) - Date.parse(b.due_at))[0] || null;
}

/** A chip that counts down; `tick` keeps it fresh. */
export function countdown(dueAt, warningAt) {
  const node = h("span", { class: "left", dataset: { due: dueAt, warning: warningAt || dueAt } });
  refresh(node, Date.now());
  return node;
}

/** The chip of a case for the queue: countdown, or how it ended. */
export function caseTime(kase) {
  const clock = nextClock(kase);
  if (clock) return countdown(clock.due_at, clock.warning_at);
  if (kase.status === "waiting") return h("span", { class: "left left_done" }, "暂停计时");
  if (!kase.first_response_at) return h("span", { class: "left left_done" }, "无时限");
  const late = (kase.clocks || []).some((one) => one.state === "breached");
  return h("span", { class: "left left_done" }, late ? "已答复（逾期）" : "已答复");
}

/** `3 条新留言 · 12 分钟前` of unread words, or null; `tick` keeps the time fresh. */
export function unread(kase) {
  const { news } = kase;
  if (!news?.unread || !news.since) return null;
  return h("span", { class: "unread", title: `最后一条 ${when(news.at)}` }, `${news.unread} 条新留言 · `, ago(news.since));
}

function ago(since) {
  const node = h("span", { dataset: { since } });
  node.textContent = agoText(since, Date.now());
  return node;
}

/** How long ago a moment was: `刚刚`, `12 分钟前`, `3 小时 5 分前`, `2 天前`. */
export function agoText(since, now) {
  const passed = now - Date.parse(since);
  return passed < 60_000 ? "刚刚" : `${span(passed)}前`;
}

export function tick() {
  const now = Date.now();
  for (const node of document.querySelectorAll("[data-since]")) {
    const text = agoText(node.dataset.since, now);
    if (node.textContent !== text) node.textContent = text;
  }
  for (const node of document.querySelectorAll(".left[data-due]")) refresh(node, now);
}

function refresh(node, now) {
  const { level, text } = timeLeft(node.dataset.due, node.dataset.warning, now);
  if (node.textContent !== text) node.textContent = text;
  node.className = `left left_${level}`;
}

export const isOpen = (kase) => !["resolved", "closed", "merged"].includes(kase.status);

const lock = () => svg("svg", { viewBox: "0 0 12 14", width: 10, height: 12, "aria-hidden": "true" },
  svg("path", { d: "M3 6V4a3 3 0 0 1 6 0v2", fill: "none", stroke: "currentColor", "stroke-width": 1.6 }),
  svg("rect", { x: 1.5, y: 6, width: 9, height: 7, rx: 1.2, fill: "currentColor" }));

export function tags(kase) {
  return [
    kase.priority === "urgent" && h("span", { class: "tag tag_urgent" }, "紧急"),
    kase.doubtful && h("span", { class: "tag", title: "同一网络一小时内报警很多，请核实" }, "疑似刷屏"),
    kase.confidential && h("span", { class: "tag tag_secret", title: "仅限知悉范围内的人员查看" }, lock(), " 保密"),
    kase.undecided ? h("span", { class: "tag" }, "类别待定") : kase.kind !== "urgent" && h("span", { class: `tag tag_${kase.kind}` }, word("kind", kase.kind)),
    h("span", { class: `tag tag_status tag_${kase.status}` }, word("status", kase.status)),
  ];
}

/** Minutes of a limit in hours: a day of working time has fewer than 24. */
export const hours = (minutes) => (minutes < 60 ? `${minutes} 分钟` : `${Math.floor(minutes / 60)} 小时${minutes % 60 ? ` ${minutes % 60} 分` : ""}`);

export const clockState = (clock, kase) => (counts(clock, kase)
  ? countdown(clock.due_at, clock.warning_at)
  : clock.state === "paused" ? h("span", { class: "left left_done" }, `暂停（剩 ${hours(clock.remaining_minutes || 0)}）`)
  : h("span", { class: `left left_${clock.state === "met" ? "done" : clock.state === "breached" ? "overdue" : "normal"}` }, word("clock", clock.state)));

export const timeTag = (value) => (value ? h("time", { datetime: value, title: value }, when(value)) : null);
