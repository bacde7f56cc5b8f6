// The alert level with its regular reports, and messages that could not be delivered.
import { byId, h, toast } from "./dom.js";
import { get, post, toLogin } from "./api.js";
import { ask } from "./dialog.js";
import { may } from "./rights.js";
import { percent, when } from "./format.js";

const NAMES = { 0: "不再定期报告", 1: "每日两报", 2: "每日一报", 3: "两日一报" };

async function load() {
  try {
    if (may("supervision.read")) showLevel(...await Promise.all([get("/supervision/alert-level"), get("/supervision/reports", { limit: 6 })]));
    if (may("deliveries.mend")) showDead(await get("/outbox/dead", { limit: 20 }));
  } catch (problem) {
    if (problem.status === 401) toLogin();
    byId("alert-note").textContent = problem.message;
    byId("dead-note").textContent = "";
  }
}

function showLevel(level, reports) {
  for (const button of document.querySelectorAll("[data-level]")) button.setAttribute("aria-pressed", String(Number(button.dataset.level) === level.level));
  byId("alert-note").textContent = level.at ? `${level.name} · ${level.set_by} 于 ${when(level.at)} 设置` : level.name;
  byId("reports").replaceChildren(...reports.map(({ slot_at: at, figures }) => h("li", {},
    h("b", {}, when(at)), ` 新收 ${figures.overall.cases} 件，已答复 ${figures.overall.answered} 件，按时答复率 ${percent(figures.overall.on_time_rate)}；在办 ${figures.open_cases} 件，逾期 ${figures.overdue_cases} 件`)));
}

function showDead({ rows, total }) {
  byId("dead-note").textContent = total ? `共 ${total} 条多次发送失败` : "没有未送达的消息";
  byId("dead").replaceChildren(...rows.map((row) => {
    const button = h("button", { type: "button", class: "weui-btn weui-btn_mini weui-btn_default" }, "重新发送");
    button.addEventListener("click", async () => {
      button.disabled = true;
      try {
        await post(`/outbox/${row.id}/resend`);
        toast("已重新排队发送");
        await load();
      } catch (problem) {
        toast(problem.message, { alert: true });
        button.disabled = false;
      }
    });
    return h("li", { class: "reports__row" }, h("span", {}, `${row.channel_name} · ${row.kind} · ${when(row.created_at)} · 尝试 ${row.attempts} 次${row.last_error ? ` · ${row.last_error}` : ""}`), button);
  }));
}

for (const button of document.querySelectorAll("[data-level]")) {
  button.addEventListener("click", () => ask({ title: `设为${button.textContent}`, text: `${NAMES[button.dataset.level]}，主管和管理者会收到通知。`, confirm: "确定" }, async () => {
    await post("/supervision/alert-level", { level: Number(button.dataset.level) });
    await load();
  }));
}
setInterval(() => { if (!document.hidden) load(); }, 60000);
load();
