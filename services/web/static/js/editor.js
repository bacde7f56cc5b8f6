// The knowledge base: find entries, try the published version, import, publish, roll back.
import "./nav.js";
import { byId, h, linkify, toast } from "./dom.js";
import { call, get, post, toLogin } from "./api.js";
import { percent, validity, when } from "./format.js";
import { ask } from "./dialog.js";
import { may } from "./rights.js";

const PAGE = 20;
const IMPORT_TIMEOUT = 600000; // embedding some thousand entries takes minutes
let offset = 0;

function failed(error) {
  if (error.status === 401) toLogin();
  else toast(error.message, { alert: true });
}

async function find() {
  const query = { q: byId("q").value.trim(), department: byId("department").value.trim() };
  byId("entries-state").textContent = "正在加载…";
  try {
    const page = await get("/knowledge/entries", { ...query, limit: PAGE, offset });
    const entries = page.entries || page.items || [];
    const total = page.total ?? offset + entries.length + (entries.length === PAGE ? 1 : 0);
    byId("entries-state").textContent = `共 ${total} 条${query.q || query.department ? "符合条件" : ""}`;
    byId("entries").replaceChildren(...(entries.length ? entries.map((one) => card(one)) : [h("p", { class: "empty" }, "没有符合条件的条目")]));
    byId("pager").hidden = total <= PAGE;
    byId("prev").disabled = offset === 0;
    byId("next").disabled = offset + entries.length >= total;
    byId("page-no").textContent = `${Math.floor(offset / PAGE) + 1} / ${Math.max(1, Math.ceil(total / PAGE))}`;
    suggest(entries);
  } catch (error) {
    byId("entries-state").textContent = "没有取到数据";
    failed(error);
  }
}

async function tryOut() {
  const q = byId("q").value.trim();
  if (!q) {
    toast("请先输入一个问题");
    byId("q").focus();
    return;
  }
  try {
    const found = await get("/knowledge/search", { q, k: 5 });
    const hits = found.hits || found.results || [];
    byId("entries-state").textContent = `试答：${{ answer: "直接作答", candidates: "给出候选", none: "没有找到" }[found.band] || `${hits.length} 个命中`}`;
    byId("entries").replaceChildren(...(hits.length ? hits.map((hit) => card(hit.entry ? { ...hit.entry, ...hit } : hit, hit.confidence)) : [h("p", { class: "empty" }, "没有命中")]));
    byId("pager").hidden = true;
  } catch (error) {
    failed(error);
  }
}

function card(entry, confidence) {
  const state = validity(entry);
  const similar = entry.similar_questions || [];
  return h("details", { class: "entry" },
    h("summary", {},
      h("span", { class: "entry__q" }, entry.question),
      h("span", { class: "entry__meta" },
        confidence !== undefined && h("b", { class: "entry__score" }, `置信度 ${percent(confidence)}`),
        h("span", {}, entry.department || "未注明部门"),
        confidence === undefined && h("span", { class: `entry__valid ${state.late ? "entry__valid_late" : ""}` }, state.text),
        entry.id !== undefined && h("span", {}, `编号 ${entry.id}`))),
    h("div", { class: "entry__body" },
      entry.answer && h("p", { class: "entry__a" }, linkify(entry.answer)),
      entry.wording && entry.wording !== entry.question && h("p", { class: "muted small" }, `命中问法：${entry.wording}`),
      similar.length ? h("p", { class: "muted small" }, `相似问法：${similar.join(" / ")}`) : null,
      entry.source && h("p", { class: "muted small" }, "来源：", linkify(String(entry.source)))));
}

function suggest(entries) {
  const list = byId("departments");
  const names = new Set([...list.querySelectorAll("option")].map((option) => option.value));
  for (const { department } of entries) {
    if (!department || names.has(department)) continue;
    names.add(department);
    list.append(h("option", { value: department }));
  }
}

byId("search").addEventListener("submit", (event) => { event.preventDefault(); offset = 0; find(); });
byId("try").addEventListener("click", tryOut);
byId("prev").addEventListener("click", () => { offset = Math.max(0, offset - PAGE); find(); });
byId("next").addEventListener("click", () => { offset += PAGE; find(); });

byId("import").addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = byId("import-button");
  const form = new FormData();
  form.set("file", byId("file").files[0]);
  form.set("publish", String(byId("import-publish").checked));
  form.set("replace", String(byId("import-replace").checked));
  button.disabled = true;
  button.textContent = "正在导入…";
  try {
    byId("import-result").replaceChildren(...report(await call("POST", "/knowledge/import", { form, timeout: IMPORT_TIMEOUT })));
    byId("import").reset();
    offset = 0;
    await Promise.all([find(), snapshots()]);
  } catch (error) {
    if (error.status === 401) toLogin();
    byId("import-result").replaceChildren(h("p", { class: "form-error" }, error.message));
  } finally {
    button.disabled = false;
    button.textContent = "导入";
  }
});

function report({ created = 0, updated = 0, unchanged = 0, rejected = [], reported = [], emptied = [], left_out: leftOut = [], version }) {
  const rows = (title, list) => list.length && h("details", { class: "rows", open: list.length <= 10 },
    h("summary", {}, `${title} ${list.length} 行`),
    h("ul", {}, list.slice(0, 200).map((one) => h("li", {}, h("b", {}, `${one.sheet ? `“${one.sheet}”` : ""}第 ${one.row} 行`), ` ${one.reason || one.note || ""}`))),
    list.length > 200 && h("p", { class: "muted small" }, `其余 ${list.length - 200} 行没有列出`));
  return [
    h("p", { class: "import-sum" }, `新增 ${created}，更新 ${updated}，未变 ${unchanged}，拒绝 ${rejected.length}，清空内容 ${emptied.length}${version ? `；已发布版本 ${version}` : "；尚未发布"}`),
    leftOut.length && h("ul", { class: "rows" }, leftOut.map((one) => h("li", {}, h("b", {}, `工作表“${one.sheet}”没有导入：`), one.reason))),
    rows("被拒绝", rejected), rows("原有内容被清空", emptied), rows("已导入但需留意", reported),
  ].filter(Boolean);
}

byId("publish").addEventListener("click", () => ask(
  { title: "发布知识库", text: "把当前所有条目发布为新版本，市民立即查到。", confirm: "发布" },
  async () => {
    const done = await post("/knowledge/publish", {}, { timeout: IMPORT_TIMEOUT });
    toast(`已发布版本 ${done.version}，共 ${done.entries} 条`);
    await snapshots();
  }));

async function snapshots() {
  try {
    const found = await get("/knowledge/snapshots");
    const list = Array.isArray(found) ? found : found.snapshots || [];
    byId("snapshots").replaceChildren(...(list.length ? list.map((one) => snapshot(one, found.current)) : [h("li", { class: "muted small" }, "还没有发布过")]));
  } catch (error) {
    failed(error);
  }
}

const SNAPSHOT_STATES = { building: "正在生成", failed: "生成失败" };

function snapshot(one, currentVersion) {
  const current = one.current ?? one.active ?? one.version === currentVersion;
  return h("li", { class: current ? "snapshots__current" : "" },
    h("div", {}, h("b", {}, `版本 ${one.version}`), current && h("span", { class: "tag tag_resolved" }, "当前"),
      h("p", { class: "muted small" }, [SNAPSHOT_STATES[one.state], one.entries !== undefined && `${one.entries} 条`, when(one.created_at || one.published_at)].filter(Boolean).join(" · "))),
    may("knowledge.publish") && !current && (one.state || "ready") === "ready" && h("button", {
      type: "button", class: "weui-btn weui-btn_mini weui-btn_default", on: {
        click: () => ask({ title: `回退到版本 ${one.version}`, text: "市民将立即查到该版本的内容；之后的版本仍然保留。", confirm: "回退", danger: true }, async () => {
          await post("/knowledge/rollback", { version: one.version });
          toast(`已回退到版本 ${one.version}`);
          await snapshots();
        }),
      },
    }, "回退"));
}

find();
snapshots();
