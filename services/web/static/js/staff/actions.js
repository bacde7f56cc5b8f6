// What a clerk or supervisor does less often: waiting, more time, handing over, classifying, merging, confidentiality.
import { h, toast } from "../dom.js";
import { post } from "../api.js";
import { may } from "../rights.js";
import { percent, span, when, word } from "../format.js";

const KINDS = ["consultation", "help", "complaint", "report", "suggestion", "urgent"];

/** What must not be overlooked: a wait, a request for more time, where a duplicate went, who may know. */
export function notices(detail, kase) {
  const { extension } = kase;
  const lines = alarmLine(kase.alarm);
  if (kase.undecided) lines.push(h("p", { class: "flag" }, `类别待经办人员确定${kase.proposal ? `，系统建议：${proposed(kase)}` : ""}`));
  if (kase.status === "waiting") lines.push(h("p", { class: "flag" }, `正在等待市民补充，计时暂停${kase.hold_until ? `；${when(kase.hold_until)} 自动恢复` : ""}`));
  if (kase.merged_into) lines.push(h("p", { class: "flag" }, "已并入 ", h("a", { href: `/staff/cases/${encodeURIComponent(kase.merged_into)}` }, kase.merged_into)));
  if (kase.confidential) lines.push(h("p", { class: "flag flag_secret" }, `保密工单，知悉范围：${kase.readers?.join("、") || "尚未指定"}`));
  if (extension) {
    lines.push(h("div", { class: "flag flag_ask" },
      h("p", {}, `${extension.asked_by} 申请${word("target", extension.target)}延期 ${extension.days} 个工作日：${extension.reason}`),
      may("cases.decide_extensions") ? h("div", { class: "actions" },
        detail.asking("同意延期", { title: "同意延期", text: `延长 ${extension.days} 个工作日，市民会收到通知。`, confirm: "同意" }, "extension", () => ({ approve: true })),
        detail.asking("不同意", { title: "不同意延期", confirm: "不同意", fields: [{ name: "reason", label: "原因", multiline: true, maxlength: 500 }] }, "extension", (values) => ({ approve: false, ...values })))
        : h("p", { class: "small" }, "等待主管审批")));
  }
  return lines;
}

/** Danger in the case: who has said 已收到, and when; or that it still waits for somebody. */
function alarmLine(alarm) {
  if (!alarm) return [];
  const seconds = Date.parse(alarm.acknowledged_at) - Date.parse(alarm.raised_at);
  if (alarm.acknowledged_by) return [h("p", { class: "flag flag_heard" }, `紧急求助 ${when(alarm.raised_at)} · ${alarm.acknowledged_by} 于 ${when(alarm.acknowledged_at)} 已收到（${span(seconds)}）`)];
  return [h("p", { class: "flag flag_alarm", title: alarm.source }, `紧急求助 ${when(alarm.raised_at)} · 还没有人按“已收到”${alarm.called.length ? ` · 已呼叫 ${alarm.called.join("、")}` : " · 没有值班人员在岗"}${alarm.next_step_at ? ` · ${when(alarm.next_step_at)} 呼叫下一位` : ""}`)];
}

const DRAFT_STATES = { open: "知识草稿待编辑", accepted: "已进入知识库", dropped: "知识草稿未采用" };

/** One click makes a knowledge draft of the answer; afterwards what became of it. */
export function draftButton(detail, kase) {
  if (kase.confidential || !kase.first_response_at) return null;
  if (kase.draft) return h("span", { class: "muted small" }, DRAFT_STATES[kase.draft.state]);
  const button = h("button", { type: "button", class: "weui-btn weui-btn_mini weui-btn_default", title: "去掉个人信息后交给知识库编辑" }, "写入知识草稿");
  button.addEventListener("click", async () => {
    button.disabled = true;
    try {
      detail.took(await post(`/cases/${encodeURIComponent(kase.case_no)}/draft`), kase.case_no);
      toast("已写入知识草稿，由编辑审定");
    } catch (error) {
      toast(error.message, { alert: true });
      button.disabled = false;
    }
  });
  return button;
}

/** What the classifier took the case for, in words: `投诉（62%）、城管（40%）`. */
export function proposed({ proposal }) {
  if (!proposal) return "";
  const kind = proposal.kind ? word("kind", proposal.kind) : proposal.kind_label;
  const parts = [`${kind}（${percent(proposal.kind_confidence)}）`];
  if (proposal.department) parts.push(`${proposal.department}（${percent(proposal.department_confidence)}）`);
  return parts.join("、");
}

/** The button that folds the rarer actions out. */
export function moreActions(detail, kase) {
  const box = h("div", { class: "actions actions_more", id: "more-actions", hidden: !detail.more }, rare(detail, kase));
  const button = h("button", { type: "button", class: "weui-btn weui-btn_mini weui-btn_default", "aria-expanded": String(Boolean(detail.more)), "aria-controls": "more-actions" }, "更多");
  button.addEventListener("click", () => {
    detail.more = !detail.more;
    box.hidden = !detail.more;
    button.setAttribute("aria-expanded", String(detail.more));
  });
  return [button, box];
}

function rare(detail, kase) {
  const assigns = may("cases.take_over");
  const grants = may("cases.decide_extensions");
  const holds = kase.assignee === detail.hooks.user || assigns || !kase.assignee;
  const reason = { name: "reason", label: "原因", multiline: true, maxlength: 500 };
  const buttons = [];
  if (holds && kase.status === "waiting") buttons.push(detail.asking("恢复办理", { title: "恢复办理", text: "不再等待市民，继续计时。", confirm: "恢复" }, "resume"));
  if (holds && kase.assignee && kase.status !== "waiting" && kase.priority !== "urgent") {
    buttons.push(detail.asking("请市民补充", { title: "请市民补充", text: "问题会发给市民；收到补充前暂停计时。", confirm: "发送", fields: [{ name: "text", label: "需要补充什么", multiline: true, maxlength: 2000 }] }, "hold"));
  }
  if (holds && kase.clocks?.some((clock) => clock.state === "running" || clock.state === "paused") && !kase.extension) {
    buttons.push(detail.asking(grants ? "延期" : "申请延期", {
      title: "延长时限", text: grants ? "市民会收到新的时限和原因。" : "由主管审批；批准后市民会收到新的时限和原因。", confirm: "提交",
      fields: [{ name: "days", label: "延长几个工作日", number: true }, reason],
    }, "extend", (values) => ({ ...values, days: Number(values.days) })));
  }
  if (holds) buttons.push(detail.asking(assigns ? "指派" : "移交", { title: assigns ? "指派经办人" : "移交同事", confirm: "确定", fields: [{ name: "assignee", label: "经办人账号", maxlength: 64 }, { ...reason, optional: true }] }, "assign"));
  if (holds && kase.events?.some((event) => event.type === "transferred")) buttons.push(detail.asking("退回转办", { title: "退回转办部门", confirm: "退回", fields: [reason] }, "return"));
  if (holds && kase.assignee) buttons.push(detail.asking("退回队列", { title: "退回队列", confirm: "退回", fields: [reason] }, "release"));
  if (holds) {
    const guessed = kase.undecided && kase.proposal?.kind;
    buttons.push(detail.asking(kase.undecided ? "确定类别" : "变更分类", {
      title: kase.undecided ? "确定类别" : "变更分类", text: "时限会按新的分类重算，并记入办理过程。举报会转为保密。", confirm: "确定",
      fields: [
        { name: "kind", label: "类别", choices: KINDS.map((kind) => [kind, word("kind", kind)]), value: guessed || kase.kind },
        { name: "priority", label: "紧急程度", choices: [["normal", "一般"], ["urgent", "紧急"]], value: kase.priority },
        { name: "department", label: "部门", list: detail.hooks.departments(), value: kase.department, maxlength: 64 },
      ],
    }, "classify"));
    buttons.push(detail.asking("合并", { title: "并入另一工单", text: "市民会收到通知，答复会发给两边的市民。", confirm: "并入", danger: true, fields: [{ name: "into", label: "并入的工单号", maxlength: 24 }] }, "merge"));
  }
  if (may("cases.press")) buttons.push(detail.asking("催办", { title: "催办", confirm: "催办", fields: [{ name: "text", label: "说明（可不填）", multiline: true, optional: true, maxlength: 500 }] }, "press"));
  if (kase.confidential && may("cases.name_readers")) {
    buttons.push(detail.asking("变更知悉范围", {
      title: "变更知悉范围", confirm: "确定",
      fields: [{ name: "name", label: "人员账号", maxlength: 64 }, { name: "allowed", label: "操作", choices: [["true", "加入"], ["false", "移出"]], value: "true" }],
    }, "access", ({ name, allowed }) => ({ name, allowed: allowed === "true" })));
  }
  return buttons;
}
