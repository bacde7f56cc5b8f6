// One open case: head, clocks, transcript, identifiers, events, and what the clerk can do with it.
import { append, byId, h, linkify, photo, toast } from "../dom.js";
import { get, post } from "../api.js";
import { may } from "../rights.js";
import { when, word } from "../format.js";
import { ask } from "../dialog.js";
import { clockState, hours, isOpen, tags, timeTag } from "./common.js";
import { draftButton, moreActions, notices } from "./actions.js";

const REVEALED_FOR = 60_000; // how long an identifier stays in the clear
// Who is no account: an event of anybody else says the name, also of somebody whose name is "clerk".
const NOBODYS = { citizen: "市民", system: "系统", import: "导入" };
const SENDERS = { citizen: "市民", bot: "机器人", clerk: "工作人员", system: "系统", import: "导入" };

/** Where a limit is counted from, when that is not the opening. */
const since = (clock) => (["raised", "reopened", "merged"].includes(clock.counted_why) ? `，自 ${when(clock.counted_from)} ${word("since", clock.counted_why)}起算` : "");

/** A department that had the case: from when, how long in working time, and what was missed meanwhile. */
const inHand = (hand) => h("li", {},
  h("span", {}, hand.department), h("span", { class: "muted small" }, `${when(hand.since)} 起${hand.working_minutes === null ? "" : `，工作时间 ${hours(hand.working_minutes)}`}`),
  hand.missed.length ? h("span", { class: "left left_overdue" }, `${hand.missed.map((target) => word("target", target)).join("、")}超时`) : null);

export class Detail {
  /** @param {{user: string, departments: () => string[], changed: () => void, back: () => void}} hooks */
  constructor(hooks) {
    this.hooks = hooks;
    this.caseNo = "";
    this.shown = {};
    this.drafts = new Map(); // case number -> text not yet sent
    this.revealed = new Map(); // placeholder -> value, for a minute
    this.read = new Map(); // case number -> up to which of the citizen's words the server was told that they were seen
  }

  async open(caseNo) {
    this.caseNo = caseNo;
    this.shown = {};
    this.revealed.clear();
    byId("detail-empty").hidden = Boolean(caseNo);
    byId("detail-body").hidden = !caseNo;
    byId("detail-body").replaceChildren();
    if (!caseNo) return;
    byId("detail-body").append(h("p", { class: "empty" }, "正在加载…"));
    await this.load();
  }

  /** Fetch and show; parts that did not change stay untouched, so a half-written reply survives each poll. */
  async load() {
    const caseNo = this.caseNo;
    if (!caseNo) return;
    let kase;
    try {
      kase = await get(`/cases/${encodeURIComponent(caseNo)}`);
    } catch (error) {
      if (this.shown.head === undefined && caseNo === this.caseNo) {
        byId("detail-body").replaceChildren(this.backButton(), h("p", { class: "empty" }, error.status === 404 ? `没有工单 ${caseNo}` : error.message));
      }
      throw error;
    }
    if (caseNo === this.caseNo) {
      this.show(kase);
      this.tellRead(kase).catch(() => {}); // they stay unread, and the next look tells it again
    }
    this.tellPresence(caseNo).catch(() => {}); // only a help: without it the second answer is still refused
  }

  /** Say up to where the citizen's words were on this screen. */
  async tellRead({ case_no: caseNo, news }) {
    if (!news?.unread || document.hidden || !may("cases.work") || this.read.get(caseNo) === news.upto) return;
    await post(`/cases/${encodeURIComponent(caseNo)}/read`, { upto: news.upto });
    this.read.set(caseNo, news.upto);
    this.hooks.changed();
  }

  /** Say that this clerk looks at the case (and writes), and show who else does. */
  async tellPresence(caseNo) {
    const writing = document.activeElement?.id === "reply" && Boolean(this.drafts.get(caseNo));
    const { others } = await post(`/cases/${encodeURIComponent(caseNo)}/presence`, { writing });
    if (caseNo !== this.caseNo || !this.parts) return;
    this.update("present", others, () => others.map((one) => h("p", { class: one.writing ? "present present_writing" : "present" }, `${one.name} ${one.writing ? "正在写答复" : "也在查看"}`)));
  }

  show(kase) {
    const body = byId("detail-body");
    if (this.shown.head === undefined) {
      this.parts = {
        head: h("header", { class: "case-head" }), present: h("div", { class: "presents", role: "status" }), talk: h("section", { class: "talk", "aria-label": "对话记录", tabindex: 0 }),
        facts: h("div", { class: "facts" }), foot: h("footer", { class: "case-foot" }),
      };
      body.replaceChildren(this.parts.head, this.parts.present, h("div", { class: "case-main" }, this.parts.talk, this.parts.facts), this.parts.foot);
    }
    const { clocks, hands, events, transcript, identifiers, present: _present, news: _news, ...head } = kase;
    const still = [(clocks || []).map(({ remaining_minutes: _, ...clock }) => clock), (hands || []).map(({ working_minutes: _, ...hand }) => hand)];
    this.update("head", [head, ...still], () => this.head(kase));
    this.update("facts", [identifiers, events, kase.assignee, [...this.revealed.keys()]], () => this.facts(kase));
    const atEnd = this.parts.talk.scrollHeight - this.parts.talk.scrollTop - this.parts.talk.clientHeight < 80;
    this.update("talk", transcript, () => this.talk(transcript || []));
    this.update("foot", [kase.status, kase.assignee, kase.extension, kase.priority, kase.kind, kase.confidential, kase.readers, kase.draft, kase.first_response_at, kase.undecided, kase.proposal], () => this.foot(kase));
    // After the foot: it takes height from the transcript.
    if (atEnd) this.parts.talk.scrollTop = this.parts.talk.scrollHeight;
  }

  update(part, data, build) {
    const fingerprint = JSON.stringify(data) ?? "";
    if (this.shown[part] === fingerprint) return false;
    this.shown[part] = fingerprint;
    const nodes = build();
    this.parts[part].replaceChildren();
    append(this.parts[part], [nodes]);
    return true;
  }

  backButton() {
    return h("button", { type: "button", class: "back", "aria-label": "返回列表", on: { click: this.hooks.back } }, "‹ 列表");
  }

  head(kase) {
    return [
      h("div", { class: "case-head__line" }, this.backButton(), h("h1", { class: "case-head__title" }, kase.title || "（无标题）", this.titleButton(kase)), h("span", { class: "case-head__tags" }, tags(kase))),
      h("p", { class: "case-head__meta" }, [
        kase.case_no, kase.department || "未分配", word("channel", kase.channel), `${when(kase.created_at)} 创建`,
        kase.assignee ? `经办 ${kase.assignee}` : "尚未认领", kase.first_response_at && `首次答复 ${when(kase.first_response_at)}`,
        kase.resolved_at && `办结 ${when(kase.resolved_at)}`].filter(Boolean).join(" · ")),
      kase.clocks?.length ? h("ul", { class: "clocks" }, kase.clocks.map((clock) => h("li", { title: clock.source || "" },
        h("span", {}, word("target", clock.target)), clockState(clock, kase),
        clock.state !== "paused" && h("span", { class: "muted small" }, `${when(clock.due_at)} 前${clock.provisional ? "（暂定）" : ""}${clock.extended ? "（已延期）" : ""}${since(clock)}`)))) : null,
      kase.hands?.length > 1 ? this.hands(kase.hands) : null,
      notices(this, kase),
    ];
  }

  talk(transcript) {
    if (!transcript.length) return h("p", { class: "empty" }, "没有对话记录");
    return transcript.map((message) => (message.sender === "system"
      ? h("p", { class: "line line_system" }, message.text)
      : h("div", { class: `line line_${message.sender}` },
        h("p", { class: "line__who" }, `${message.spoken_by || SENDERS[message.sender] || message.sender} · ${when(message.created_at)}`),
        h("div", { class: "line__text" }, message.data?.attachment ? attachment(this.caseNo, message) : message.sender === "citizen" ? message.text : linkify(message.text || "")),
        message.options?.length && message.type !== "answer" ? h("p", { class: "line__options" }, `选项：${message.options.map((option) => option.title).join("、")}`) : null)));
  }

  facts(kase) {
    return [
      h("section", { class: "card" }, h("h2", {}, "身份信息"),
        kase.identifiers?.length
          ? h("dl", { class: "pairs" }, kase.identifiers.map((one) => h("div", {}, h("dt", {}, word("identifier", one.type)), h("dd", {}, this.revealed.get(one.placeholder) || one.masked, h("small", { class: "muted" }, ` ${one.placeholder}`), this.revealButton(kase, one)))))
          : h("p", { class: "muted small" }, "市民没有提供")),
      h("section", { class: "card" }, h("h2", {}, "办理过程"),
        h("ol", { class: "timeline" }, [...(kase.events || [])].reverse().map((event) => h("li", {},
          h("p", {}, h("b", {}, event.name || event.type), event.actor && ` · ${NOBODYS[event.actor] || event.actor}`),
          event.text && h("p", { class: "timeline__text" }, event.text), h("p", { class: "muted small" }, timeTag(event.at)))))),
    ];
  }

  /** The departments that had the case, in their order; folded on a phone, where the talk needs the room. */
  hands(hands) {
    const late = hands.filter((hand) => hand.missed.length).length;
    const open = this.handsOpen ?? !matchMedia("(max-width: 767px)").matches;
    return h("details", { class: "hands", open, on: { toggle: (event) => { this.handsOpen = event.currentTarget.open; } } },
      h("summary", {}, `经手 ${hands.length} 个部门`, late ? h("span", { class: "left left_overdue" }, `${late} 个超时`) : null),
      h("ol", { class: "clocks", "aria-label": "经手部门" }, hands.map(inHand)));
  }

  /** Whoever may answer may say in other words what the case is about. */
  titleButton(kase) {
    if (kase.assignee && kase.assignee !== this.hooks.user && !may("cases.take_over")) return null;
    const button = this.asking("修改标题", {
      title: "修改标题", text: "市民查看工单时也会看到标题；修改会记入办理过程。", confirm: "保存",
      fields: [{ name: "title", label: "标题（40 字以内）", value: kase.title, maxlength: 40 }],
    }, "title");
    button.className = "retitle";
    return button;
  }

  /** Only for the clerk in charge; each time is noted in the case with the reason. */
  revealButton(kase, one) {
    if (!may("cases.reveal") || kase.assignee !== this.hooks.user || !isOpen(kase) || this.revealed.has(one.placeholder)) return null;
    const caseNo = kase.case_no;
    return h("button", {
      type: "button", class: "reveal", on: {
        click: () => ask({
          title: "查看身份信息", text: "查看会记入办理过程，一分钟后重新隐藏。", confirm: "查看",
          fields: [{ name: "reason", label: "查看原因", multiline: true, maxlength: 500 }],
        }, async ({ reason }) => {
          const { value } = await post(`/cases/${encodeURIComponent(caseNo)}/identifiers/reveal`, { placeholder: one.placeholder, reason });
          if (caseNo !== this.caseNo) return;
          this.revealed.set(one.placeholder, value);
          setTimeout(() => { if (this.revealed.delete(one.placeholder)) this.load().catch(() => {}); }, REVEALED_FOR);
          await this.load();
        }),
      },
    }, "查看");
  }

  foot(kase) {
    const mine = kase.assignee === this.hooks.user;
    const buttons = [];
    if (isOpen(kase)) {
      if (!kase.assignee || (!mine && may("cases.take_over"))) buttons.push(h("button", { type: "button", class: `weui-btn weui-btn_mini ${kase.assignee ? "weui-btn_default" : "weui-btn_primary"}`, on: { click: (event) => this.claim(event.currentTarget, kase) } }, kase.assignee ? "接手" : "认领"));
      buttons.push(this.asking("备注", { title: "添加备注", text: "只有工作人员可见。", confirm: "保存", fields: [{ name: "text", label: "备注内容", multiline: true }] }, "note"));
      buttons.push(this.asking("转办", {
        title: "转办其他部门", confirm: "转办",
        fields: [{ name: "department", label: "部门", list: this.hooks.departments(), maxlength: 100 }, { name: "reason", label: "原因", multiline: true, maxlength: 500 }],
      }, "transfer"));
      buttons.push(this.asking("办结", { title: "办结工单", text: "确认事项已经办理完毕？", confirm: "办结" }, "resolve"));
      buttons.push(moreActions(this, kase));
    } else {
      buttons.push(this.asking("重开", { title: "重新打开工单", confirm: "重开", fields: [{ name: "reason", label: "原因", multiline: true, maxlength: 500 }] }, "reopen"));
      const knowledge = draftButton(this, kase);
      if (knowledge) buttons.push(knowledge);
      if (kase.status === "resolved") buttons.push(this.asking("关闭", { title: "关闭工单", text: "关闭后不再办理。", confirm: "关闭" }, "close"));
    }
    const answers = mine || !kase.assignee || may("cases.take_over");
    return [isOpen(kase) && answers && this.replyForm(kase), h("div", { class: "actions" }, buttons)];
  }

  asking(label, what, action, shape = (values) => values) {
    const caseNo = this.caseNo;
    return h("button", {
      type: "button", class: "weui-btn weui-btn_mini weui-btn_default", on: {
        click: () => ask(what, async (values) => {
          this.took(await post(`/cases/${encodeURIComponent(caseNo)}/${action}`, shape(values)), caseNo);
          toast(`已${label}`);
        }),
      },
    }, label);
  }

  async claim(button, kase) {
    button.disabled = true;
    try {
      this.took(await post(`/cases/${encodeURIComponent(kase.case_no)}/claim`), kase.case_no);
      byId("reply")?.focus();
    } catch (error) {
      toast(error.message, { alert: true });
      button.disabled = false;
      await this.load().catch(() => {});
    }
  }

  replyForm(kase) {
    const caseNo = kase.case_no;
    const text = h("textarea", { id: "reply", class: "input reply__text", rows: 3, maxlength: 4000, placeholder: "答复内容，发送后市民立即看到", required: true });
    text.value = this.drafts.get(caseNo) || "";
    text.addEventListener("input", () => this.drafts.set(caseNo, text.value));
    const resolve = h("input", { type: "checkbox", id: "resolve" });
    const button = h("button", { type: "submit", class: "weui-btn weui-btn_mini weui-btn_primary" }, "回复");
    const problem = h("div", { class: "refused", role: "alert", hidden: true });
    const label = () => { button.textContent = resolve.checked ? "回复并办结" : "回复"; };
    resolve.addEventListener("change", label);
    return h("form", {
      class: "reply", on: {
        submit: async (event) => {
          event.preventDefault();
          if (!text.value.trim()) return;
          button.disabled = true;
          problem.hidden = true;
          try {
            const answer = await post(`/cases/${encodeURIComponent(caseNo)}/reply`, { text: text.value.trim(), resolve: resolve.checked });
            this.drafts.delete(caseNo);
            text.value = "";
            toast(resolve.checked ? "已回复并办结" : "已回复");
            this.took(answer, caseNo);
          } catch (error) {
            problem.replaceChildren(...refusal(error));
            problem.hidden = false;
          } finally {
            button.disabled = false;
          }
        },
      },
    },
    problem, h("label", { class: "sr-only", for: "reply" }, "答复内容"), text,
    h("div", { class: "reply__row" }, h("label", { class: "check" }, resolve, " 同时办结"), button));
  }

  // The answer of an action is a CASE without its transcript: fetch the whole of it again.
  took(_, caseNo) {
    this.hooks.changed();
    if (caseNo === this.caseNo) this.load().catch((error) => toast(error.message, { alert: true }));
  }
}

/** Why a reply was not taken; a 409 shows what was answered first, when the server tells. */
export function refusal(error) {
  const { problem } = error;
  const { first_reply: text, first_replied_by: by, first_replied_at: at } = problem;
  const nodes = [h("p", {}, h("b", {}, error.status === 409 ? "没有发送：" : "发送失败："), error.message)];
  if (error.status === 409 && text) {
    nodes.push(h("blockquote", {}, text), h("p", { class: "muted small" }, [by, at && when(at)].filter(Boolean).join(" · ")));
  }
  nodes.push(h("p", { class: "muted small" }, "您写的内容还在下面。"));
  return nodes;
}

function attachment(caseNo, message) {
  const file = message.data.attachment;
  const address = `/api/v1/cases/${encodeURIComponent(caseNo)}/attachments/${file.id}`;
  return file.media_type === "application/pdf" ? h("a", { href: address, download: "" }, message.text) : photo(address, file);
}
