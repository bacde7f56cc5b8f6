// Answers that staff drafted for the knowledge base: read, reword, take in or drop.
import { byId, h, toast } from "../dom.js";
import { get, post } from "../api.js";
import { ask } from "../dialog.js";
import { when } from "../format.js";
import { PAGE, Pager, failed } from "./paging.js";

const pager = new Pager("draft", showDrafts);

export async function showDrafts() {
  try {
    const found = await get("/knowledge/drafts", { limit: PAGE, offset: pager.offset });
    byId("drafts-state").textContent = `共 ${found.total} 条待审定，来自已办结工单的答复`;
    pager.show(byId("drafts"), found.drafts.map(card), found.total, "没有待审定的草稿");
  } catch (error) {
    failed(error);
  }
}

function card(draft) {
  return h("article", { class: "keyword" },
    h("div", { class: "keyword__body" },
      h("p", { class: "keyword__word" }, draft.question),
      h("p", { class: "draft__answer" }, draft.answer),
      h("p", { class: "muted small" },
        draft.case_no && h("a", { href: `/staff/cases/${encodeURIComponent(draft.case_no)}` }, `工单 ${draft.case_no}`),
        draft.case_no && " · ", `${draft.department || "未注明部门"} · ${draft.created_by} ${when(draft.created_at)}`)),
    h("div", { class: "keyword__buttons" },
      h("button", { type: "button", class: "weui-btn weui-btn_mini weui-btn_primary", "aria-label": `编辑并加入 ${draft.question}`, on: { click: () => accept(draft) } }, "编辑并加入"),
      h("button", { type: "button", class: "weui-btn weui-btn_mini weui-btn_default", "aria-label": `舍弃 ${draft.question}`, on: { click: () => drop(draft) } }, "舍弃")));
}

function accept(draft) {
  ask({
    title: "加入知识库", text: "请改成通用的问题和答案，确认没有个人信息；下次发布后市民可查到。", confirm: "加入",
    fields: [
      { name: "question", label: "问题", multiline: true, rows: 2, maxlength: 500, value: draft.question },
      { name: "answer", label: "答案", multiline: true, rows: 8, maxlength: 5000, value: draft.answer },
      { name: "department", label: "部门", maxlength: 100, optional: true, value: draft.department },
    ],
  }, async ({ question, answer, department }) => {
    await post(`/knowledge/drafts/${draft.id}/accept`, { question, answer, department: department || null });
    toast("已加入知识库，发布后生效");
    await showDrafts();
  });
}

function drop(draft) {
  ask({ title: "舍弃草稿", text: "草稿不再出现，工单和答复不受影响。", confirm: "舍弃", danger: true }, async () => {
    await post(`/knowledge/drafts/${draft.id}/drop`);
    toast("已舍弃");
    await showDrafts();
  });
}
