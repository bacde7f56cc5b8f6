// The appointment desk: a hall's day, check-in by code, served and missed, who waits.
import "../nav.js";
import { byId, h, toast } from "../dom.js";
import { get, post, toLogin } from "../api.js";
import { ask } from "../dialog.js";
import { clock, isoDay, when } from "../format.js";
import { actionsOf, byHour, STATUS } from "./visits.js";

const REFRESH = 30000;
let halls = [];
let newest = 0;

function failed(problem) {
  if (problem.status === 401) toLogin();
  byId("error").textContent = problem.message;
  byId("error").hidden = false;
}

async function load() {
  const hall = byId("hall").value;
  if (!hall) return;
  const mine = ++newest;
  const query = { hall, day: byId("day").value };
  try {
    const [list, waiting] = await Promise.all([get("/appointments", { ...query }), get("/appointments/waiting", { ...query })]);
    if (mine !== newest) return;
    byId("error").hidden = true;
    show(list, waiting);
  } catch (problem) {
    if (mine === newest) failed(problem);
  }
}

function show(list, waiting) {
  const [, month, day] = list.day.split("-").map(Number);
  byId("title").textContent = list.day === isoDay(new Date()) ? "今日预约" : `${month}月${day}日预约`;
  byId("as-of").textContent = `${list.hall_name} · 截至 ${when(new Date())}`;
  for (const name of ["booked", "checked_in", "served", "no_show"]) byId(`n-${name}`).textContent = list[name];
  byId("n-waiting").textContent = waiting.length;
  byId("counts").hidden = false;
  const now = Date.now();
  byId("hours").replaceChildren(...byHour(list.appointments).map((hour) => hourNode(hour, now)));
  byId("none").hidden = list.appointments.length > 0;
  byId("waiting").replaceChildren(...waiting.map((one) => h("li", {},
    h("span", { class: "visit__service" }, one.service_name), " ", one.name || "", " ", one.person,
    h("p", { class: "visit__more" }, `${when(one.from_at)} 至 ${when(one.until_at)}，${when(one.since)} 开始排队`))));
  byId("no-waiting").hidden = waiting.length > 0;
}

function hourNode({ start, end, visits }, now) {
  const isNow = Date.parse(start) <= now && now < Date.parse(end);
  return h("li", { class: `hour${isNow ? " hour_now" : ""}` },
    h("p", { class: "hour__time" }, `${clock(start)}–${clock(end)}${isNow ? " · 现在" : ""}`),
    h("ol", {}, visits.map(visitNode)));
}

function visitNode(one) {
  const acts = actionsOf(one, Date.now()).map(([path, label, kind]) => h("button", {
    type: "button", class: `weui-btn weui-btn_mini weui-btn_${kind}`, "aria-label": `${label} ${one.service_name} ${one.person}`,
    on: { click: (event) => act(one, path, label, event.currentTarget) },
  }, label));
  return h("li", { class: "visit" },
    h("div", { class: "visit__who" },
      h("p", {}, h("span", { class: "visit__service" }, one.service_name), " ", h("span", { class: `tag tag_${one.status}` }, STATUS[one.status] || one.status)),
      h("p", { class: "visit__more" }, [one.name, one.person, one.windows, one.no].filter(Boolean).join(" · "))),
    acts.length > 0 && h("div", { class: "visit__acts" }, acts));
}

async function act(one, path, label, button) {
  if (path === "no-show") {
    ask({ title: "标记未到？", text: `${one.service_name} ${one.person}。多次未到会暂停在线预约。`, confirm: "标记未到", danger: true },
      () => change(one, path));
    return;
  }
  button.disabled = true;
  try {
    await change(one, path);
    toast(`${label}：${one.service_name} ${one.person}`);
  } catch (problem) {
    button.disabled = false;
    toast(problem.message, { alert: true });
  }
}

async function change(one, path) {
  await post(`/appointments/${encodeURIComponent(one.no)}/${path}`);
  await load();
}

byId("check-in").addEventListener("submit", async (event) => {
  event.preventDefault();
  const code = byId("code").value.trim();
  if (!code) return;
  try {
    const one = await post("/appointments/check-in", { code });
    byId("error").hidden = true;
    byId("checked-in").textContent = `已签到：${one.service_name}，${one.name ? `${one.name} ` : ""}${one.person}，${clock(one.start_at)}–${clock(one.end_at)}，${one.windows}`;
    byId("checked-in").hidden = false;
    byId("code").value = "";
    if (one.hall !== byId("hall").value && halls.some((hall) => hall.code === one.hall)) byId("hall").value = one.hall;
    await load();
  } catch (problem) {
    byId("checked-in").hidden = true;
    failed(problem);
  }
  byId("code").focus();
});

byId("hall").addEventListener("change", load);
byId("day").addEventListener("change", load);
document.addEventListener("visibilitychange", () => { if (!document.hidden) load(); });
setInterval(() => { if (!document.hidden) load(); }, REFRESH);

byId("day").value = isoDay(new Date());
try {
  halls = await get("/appointments/halls");
  byId("hall").replaceChildren(...halls.map((hall) => h("option", { value: hall.code }, hall.name)));
  byId("hall").disabled = halls.length === 0;
  if (halls.length === 0) byId("as-of").textContent = "您的部门没有可以办理预约的大厅";
  await load();
} catch (problem) {
  byId("as-of").textContent = "没有取到数据";
  failed(problem);
}
