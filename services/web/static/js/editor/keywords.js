// Keyword replies: find, add, change, switch off, delete.
import { byId, h, toast } from "../dom.js";
import { call, get, post } from "../api.js";
import { ask } from "../dialog.js";
import { when } from "../format.js";
import { PAGE, Pager, failed } from "./paging.js";

const MATCHES = [["exact", "整句相同"], ["contains", "包含关键词"]];
const pager = new Pager("keyword", load);
let accounts = null;

export function showKeywords() {
  load();
}

async function load() {
  try {
    if (!accounts) {
      accounts = await get("/channel-accounts");
      byId("keyword-account").append(
        h("option", { value: "" }, "所有账号通用"), ...accounts.map(({ key, name }) => h("option", { value: key }, name)));
    }
    const chosen = byId("keyword-account").value;
    const path = chosen === "" ? "/keyword-replies?account=" : "/keyword-replies";
    const found = await get(path, {
      q: byId("keyword-q").value.trim(), account: chosen === "*" ? undefined : chosen, limit: PAGE, offset: pager.offset,
    });
    byId("keywords-state").textContent = `共 ${found.total} 条`;
    pager.show(byId("keywords"), found.replies.map(card), found.total, "还没有关键词回复");
  } catch (error) {
    failed(error);
  }
}

function card(reply) {
  return h("article", { class: `keyword ${reply.enabled ? "" : "keyword_off"}` },
    h("div", { class: "keyword__body" },
      h("p", {}, h("span", { class: "keyword__word" }, reply.keyword),
        h("span", { class: "tag" }, label(MATCHES, reply.match)), !reply.enabled && h("span", { class: "tag tag_help" }, "已停用")),
      h("p", { class: "keyword__reply" }, reply.text || `知识库条目 ${reply.entry_id}`),
      h("p", { class: "muted small" }, [nameOf(reply.account), validity(reply), `${reply.updated_by} ${when(reply.updated_at)}`].filter(Boolean).join(" · "))),
    h("div", { class: "keyword__buttons" },
      h("button", { type: "button", class: "weui-btn weui-btn_mini weui-btn_default", "aria-label": `编辑 ${reply.keyword}`, on: { click: () => edit(reply) } }, "编辑"),
      h("button", { type: "button", class: "weui-btn weui-btn_mini weui-btn_default", "aria-label": `删除 ${reply.keyword}`, on: { click: () => remove(reply) } }, "删除")));
}

const label = (choices, value) => (choices.find(([one]) => one === value) || ["", value])[1];
const nameOf = (key) => (key ? accounts.find((account) => account.key === key)?.name || key : "所有账号通用");

function validity({ valid_from: from, valid_to: to }) {
  return from || to ? `${from || "…"} 至 ${to || "长期"}` : "";
}

function edit(reply) {
  const kinds = [["text", "一段文字"], ["entry", "知识库条目（填编号）"]];
  ask({
    title: reply ? "编辑关键词回复" : "新增关键词回复",
    confirm: "保存",
    fields: [
      { name: "keyword", label: "关键词", maxlength: 30, value: reply?.keyword },
      { name: "match", label: "匹配方式（“包含”只用于 20 字以内的消息）", choices: MATCHES, value: reply?.match },
      { name: "kind", label: "用什么回复", choices: kinds, value: reply?.entry_id ? "entry" : "text" },
      { name: "reply", label: "回复内容或条目编号", multiline: true, rows: 2, value: reply ? reply.text || reply.entry_id : "" },
      { name: "account", label: "账号", choices: [["", "所有账号通用"], ...accounts.map(({ key, name }) => [key, name])], value: reply?.account },
      { name: "valid_from", label: "开始日期（可不填）", type: "date", optional: true, value: reply?.valid_from },
      { name: "valid_to", label: "结束日期（可不填）", type: "date", optional: true, value: reply?.valid_to },
      { name: "enabled", label: "状态", choices: [["on", "启用"], ["off", "停用"]], value: reply && !reply.enabled ? "off" : "on" },
    ],
  }, async (values) => {
    const body = {
      keyword: values.keyword, match: values.match, account: values.account, enabled: values.enabled === "on",
      text: values.kind === "text" ? values.reply : null, entry_id: values.kind === "entry" ? values.reply : null,
      valid_from: values.valid_from || null, valid_to: values.valid_to || null,
    };
    if (body.match === "contains" && [...body.keyword].length < 2) throw new Error("“包含”的关键词至少两个字");
    if (body.valid_from && body.valid_to && body.valid_to < body.valid_from) throw new Error("结束日期不能早于开始日期");
    if (reply) await call("PUT", `/keyword-replies/${reply.id}`, { body });
    else await post("/keyword-replies", body);
    toast("已保存，立即生效");
    await load();
  });
}

function remove(reply) {
  ask({ title: `删除“${reply.keyword}”`, text: "删除后，这个关键词由智能问答回答。", confirm: "删除", danger: true }, async () => {
    await call("DELETE", `/keyword-replies/${reply.id}`);
    toast("已删除");
    await load();
  });
}

byId("keyword-new").addEventListener("click", () => { if (accounts) edit(null); });
byId("keyword-search").addEventListener("submit", (event) => { event.preventDefault(); pager.offset = 0; load(); });
byId("keyword-account").addEventListener("change", () => { pager.offset = 0; load(); });
