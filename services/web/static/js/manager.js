// Timeliness: figures, and a table by department or month with a bar for each on-time rate.
import "./nav.js";
import { byId, h, svg, toast } from "./dom.js";
import { get, toLogin } from "./api.js";
import { duration, isoDay, percent, when } from "./format.js";

const DAY = 86400000;
let by = "department";

function lastDays(days) {
  const today = new Date();
  byId("to").value = isoDay(today);
  byId("from").value = isoDay(new Date(today.getTime() - (days - 1) * DAY));
}

function pressed(selector, current) {
  for (const button of document.querySelectorAll(selector)) button.setAttribute("aria-pressed", String(button === current));
}

async function load() {
  const error = byId("error");
  error.hidden = true;
  const [from, to] = [byId("from").value, byId("to").value];
  if (from > to) {
    error.textContent = "开始日期不能晚于结束日期";
    error.hidden = false;
    return;
  }
  try {
    const [timeliness, answers] = await Promise.all([
      get("/statistics/timeliness", { from, to, by }), get("/statistics/answers", { from, to }),
    ]);
    show(timeliness);
    showAnswers(answers);
  } catch (problem) {
    if (problem.status === 401) toLogin();
    error.textContent = problem.message;
    error.hidden = false;
    byId("as-of").textContent = "没有取到数据";
  }
}

function show({ overall, rows, open_cases: open, overdue_cases: overdue, unanswered_overdue_cases: unanswered }) {
  byId("as-of").textContent = `${byId("from").value} 至 ${byId("to").value} · 截至 ${when(new Date())}`;
  figure("f-open", String(open), "", "此刻所有未办结的工单");
  const others = overdue - unanswered;
  figure("f-overdue", String(unanswered), "", `此刻超过首次答复时限、还没有答复的工单${others > 0 ? `；另有 ${others} 件已答复，超过其他时限` : ""}`);
  byId("f-overdue").closest(".figure").classList.toggle("figure_on", unanswered > 0);
  const rate = percent(overall.on_time_rate);
  figure("f-ontime", rate.replace("%", ""), rate.endsWith("%") ? "%" : "", `${overall.cases ?? 0} 件中已答复 ${overall.answered ?? 0} 件`);
  const first = duration(overall.first_response_minutes?.p50);
  const slow = duration(overall.first_response_minutes?.p90);
  figure("f-p50", first.value, first.unit, `九成在 ${slow.value} ${slow.unit}内`.replace("九成在 – 内", "暂无答复"));
  byId("key-head").textContent = by === "month" ? "月份" : "部门";
  byId("by-title").textContent = by === "month" ? "按月份" : "按部门";
  byId("rows").replaceChildren(...rows.map(row));
  byId("no-rows").hidden = rows.length > 0;
  byId("table").hidden = rows.length === 0;
}

function showAnswers({ answers, candidates, rated, helpful, helpful_rate: rate }) {
  figure("f-answers", String(answers), "", `另有 ${candidates} 次给出候选问题`);
  const share = percent(rate);
  figure("f-helpful", share.replace("%", ""), share.endsWith("%") ? "%" : "", rated ? `${rated} 次评价中 ${helpful} 次有帮助` : "还没有评价");
}

function figure(id, value, unit, note) {
  byId(id).replaceChildren(value, unit && h("small", {}, unit));
  byId(`${id}-note`).textContent = note;
}

function row(one) {
  const time = (minutes) => { const { value, unit } = duration(minutes); return unit ? `${value} ${unit}` : value; };
  const cell = (label, value, extra = "") => h("td", { class: `num ${extra}`, "data-label": label }, value);
  return h("tr", {},
    h("th", { scope: "row" }, one.key || "未分配"),
    h("td", { class: "rate", "data-label": "按时答复率" }, bar(one.on_time_rate), h("span", { class: "rate__value" }, percent(one.on_time_rate))),
    cell("工单", String(one.cases)),
    cell("已答复", String(one.answered)),
    cell("首次答复 中位 / 九成", `${time(one.first_response_minutes?.p50)} / ${time(one.first_response_minutes?.p90)}`, "num_wide"),
    cell("办结 中位", time(one.resolution_minutes?.p50), "num_wide"),
    cell("在办", String(one.open ?? "–")),
    cell("逾期", String(one.overdue ?? "–"), one.overdue ? "num_alert" : ""));
}

// Width is an SVG attribute, so no inline style is needed.
function bar(share) {
  const level = share === null || share === undefined ? "none" : share >= 0.95 ? "good" : share >= 0.8 ? "fair" : "poor";
  return svg("svg", { class: `meter meter_${level}`, viewBox: "0 0 100 8", preserveAspectRatio: "none", "aria-hidden": "true" },
    svg("rect", { class: "meter__track", x: 0, y: 0, width: 100, height: 8 }),
    svg("rect", { class: "meter__value", x: 0, y: 0, width: Math.max(0, Math.min(1, share || 0)) * 100, height: 8 }));
}

for (const button of document.querySelectorAll("[data-days]")) {
  button.addEventListener("click", () => { lastDays(Number(button.dataset.days)); pressed("[data-days]", button); load(); });
}
for (const button of document.querySelectorAll("[data-by]")) {
  button.addEventListener("click", () => { by = button.dataset.by; pressed("[data-by]", button); load(); });
}
byId("range").addEventListener("submit", (event) => {
  event.preventDefault();
  pressed("[data-days]", null);
  load().then(() => { if (byId("error").hidden) toast("已更新"); });
});
setInterval(() => { if (!document.hidden) load(); }, 60000);
lastDays(30);
load();
