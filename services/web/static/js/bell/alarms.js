// The red bar at the top of every page of the staff: danger that nobody has acknowledged yet.
import { byId, h, toast } from "../dom.js";
import { post, toLogin } from "../api.js";
import { span } from "../format.js";
import { may } from "../rights.js";

let shown = "";
let sounds = false;

/** @param {{case_no: string, department: ?string, raised_at: string, called: string[]}[]} alarms the oldest first */
export function showAlarms(alarms) {
  const fingerprint = JSON.stringify(alarms);
  if (fingerprint === shown) return;
  shown = fingerprint;
  byId("alarms").hidden = !alarms.length;
  byId("alarms-list").replaceChildren(...alarms.map(line));
  hint();
  tick();
}

/** Whether this page may make the sound; until then the bar asks for a click. */
export function soundIs(on) {
  sounds = on;
  hint();
}

function hint() {
  byId("alarms-mute").hidden = sounds || byId("alarms").hidden;
}

function line(alarm) {
  const open = may("cases.work") && h("a", { class: "weui-btn weui-btn_mini weui-btn_default", href: `/staff/cases/${encodeURIComponent(alarm.case_no)}` }, "查看");
  const heard = may("alarms.acknowledge") && h("button", { type: "button", class: "weui-btn weui-btn_mini weui-btn_default alarm__heard", on: { click: (event) => acknowledge(event.currentTarget, alarm.case_no) } }, "已收到");
  return h("li", { class: "alarm" },
    h("p", { class: "alarm__text" }, h("b", {}, "紧急求助"), ` ${alarm.case_no}${alarm.department ? ` · ${alarm.department}` : " · 保密"}`,
      h("span", { class: "alarm__since", dataset: { since: alarm.raised_at } }),
      alarm.called.length > 1 && h("span", { class: "alarm__called" }, `已呼叫 ${alarm.called.join("、")}`)),
    h("span", { class: "alarm__act" }, heard, open));
}

async function acknowledge(button, caseNo) {
  button.disabled = true;
  try {
    await post(`/cases/${encodeURIComponent(caseNo)}/acknowledge`);
    toast("已收到，市民已看到");
  } catch (error) {
    if (error.status === 401) toLogin();
    toast(error.message, { alert: true });
    button.disabled = false;
  }
}

function tick() {
  for (const node of document.querySelectorAll(".alarm__since")) {
    node.textContent = `${span(Date.now() - Date.parse(node.dataset.since))} 无人应答`;
  }
}

setInterval(tick, 1000);
