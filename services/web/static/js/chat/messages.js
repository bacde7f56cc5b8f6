// One message of the contract -> one list item of the thread. Only textContent and text nodes are used.
import { h, linkify, photo, toast } from "../dom.js";
import { when } from "../format.js";
import { parseResult } from "./result.js";

const AVATAR = { bot: ["bot", "机器人"], clerk: ["clerk", "工作人员"], citizen: ["citizen", "我"] };
const LONG_ANSWER = 420; // characters shown before 展开全文
const PHONE = /(?<![\d-])(?:1[3-9]\d{9}|0\d{2,3}-\d{7,8}|400-?\d{3}-?\d{4}|12345|12\d{3}|110|119|120|122)(?![\d-])/g;
const PHONE_NAMES = { 110: "报警", 119: "火警", 120: "急救", 122: "交通事故", 12345: "政务热线" };
const DUE = /(?:\d{4}[年-])?\d{1,2}[月-]\d{1,2}日?\s*(?:[（(]?周.[）)]?\s*)?\d{1,2}[:：时]\d{0,2}/u;

/**
 * Build the element of a message.
 * @param {Object} message MESSAGE of the API
 * @param {{choose: (option: {title: string, payload: string}) => void}} hooks
 */
export function renderMessage(message, hooks) {
  const item = h("li", { dataset: { seq: message.id, sender: message.sender, type: message.type, at: message.created_at || "" } });
  if (message.sender === "system" && message.type !== "case" && message.type !== "emergency") {
    item.className = "notice";
    item.append(h("span", { class: "notice__text" }, linkify(message.text || "")));
    if (message.options?.length) item.append(options(message, hooks));
    return item;
  }
  const mine = message.sender === "citizen";
  const [icon, name] = AVATAR[message.sender] || AVATAR.bot;
  item.className = `msg ${mine ? "msg_out" : "msg_in"}`;
  item.append(
    h("img", { class: "avatar", src: `/static/img/${icon}.svg`, alt: "", width: 40, height: 40 }),
    h("div", { class: "msg__body" },
      h("span", { class: message.sender === "clerk" ? "msg__name" : "sr-only" }, message.sender === "clerk" ? message.spoken_by || name : `${name}说：`),
      mine ? sent(message) : incoming(message, hooks)));
  return item;
}

function sent(message) {
  const file = message.data?.attachment;
  if (!file) return h("div", { class: "bubble bubble_out" }, message.text || "");
  const address = `/api/v1/conversations/${message.conversation}/attachments/${file.id}`;
  return file.media_type === "application/pdf"
    ? h("a", { class: "bubble bubble_out", href: address, download: "" }, message.text)
    : photo(address, file);
}

/** The bubble of something just typed, before the server has numbered it. */
export function renderOutgoing(item, hooks) {
  const node = renderMessage({ id: "", sender: "citizen", type: "text", text: item.text, created_at: item.at }, hooks);
  delete node.dataset.seq;
  node.dataset.client = item.id;
  node.dataset.state = "sending";
  node.querySelector(".msg__body").append(
    h("div", { class: "unsent" },
      h("span", { class: "unsent__reason" }),
      h("button", { type: "button", class: "unsent__again", on: { click: () => hooks.resend(item.id) } }, "重新发送"),
      h("button", { type: "button", class: "unsent__drop", on: { click: () => hooks.discard(item.id) } }, "删除")));
  return node;
}

function incoming(message, hooks) {
  const parts = [];
  const text = message.text || "";
  if (message.type === "emergency") parts.push(emergency(message));
  else if (message.type === "case") parts.push(caseCard(message));
  else if (message.type === "result") parts.push(result(text));
  // The lines of a menu are its options here; channels without buttons read them in the text.
  else if (message.data?.menu) parts.push(bubble(message.data.menu.intro));
  else if (text) parts.push(bubble(text));
  const picture = message.data?.qr;
  if (typeof picture === "string" && picture.startsWith("/api/v1/")) {
    parts.push(h("img", { class: "qr", src: picture, alt: "签到二维码", width: 180, height: 180, loading: "lazy" }));
  }
  const chart = message.data?.chart;
  if (typeof chart === "string" && chart.startsWith("/api/v1/")) {
    // It can be seen for a day; the text above says the same.
    parts.push(h("img", { class: "chart", src: chart, alt: "最近各期金额柱状图", width: 360, height: 180, loading: "lazy", on: { error: (event) => event.currentTarget.remove() } }));
  }
  if (message.type === "answer") {
    parts.push(underAnswer(message, hooks));
    return parts;
  }
  if (message.source) parts.push(source(message.source));
  if (message.options?.length && message.type !== "emergency") parts.push(options(message, hooks));
  if (message.data?.menu) parts.push(h("p", { class: "source" }, message.data.menu.hint));
  return parts;
}

function bubble(text) {
  const content = h("div", { class: "bubble bubble_in" }, h("div", { class: "bubble__text" }, linkify(text)));
  if (text.length <= LONG_ANSWER) return content;
  const more = h("button", { type: "button", class: "bubble__more", "aria-expanded": "false" }, "展开全文");
  content.classList.add("bubble_folded");
  more.addEventListener("click", () => {
    const folded = content.classList.toggle("bubble_folded");
    more.textContent = folded ? "展开全文" : "收起";
    more.setAttribute("aria-expanded", String(!folded));
  });
  content.append(more);
  return content;
}

function source({ department, source: origin, date, sample }) {
  const parts = [department, origin, date && String(date).slice(0, 10)].filter(Boolean);
  return h("p", { class: "source" }, parts.map((part) => h("span", { class: "source__part" }, part)), sample && h("span", { class: "badge" }, "示范数据"));
}

function underAnswer(message, hooks) {
  return h("div", { class: "under" },
    message.source && source(message.source),
    message.options?.length && h("div", { class: "rate", role: "group", "aria-label": "这条回答有帮助吗" },
      message.options.map((option, index) => h("button", {
        type: "button", class: "rate__item", "aria-pressed": String(message.helpful === (index === 0)),
        on: { click: (event) => hooks.rate(option, event.currentTarget) },
      }, option.title))));
}

function options(message, hooks) {
  const digits = message.data?.menu?.digits;
  const list = h("div", { class: `weui-cells options options_${message.type}`, role: "group", "aria-label": message.type === "candidates" ? "相关问题" : "选项" });
  for (const [index, option] of message.options.entries()) {
    list.append(h("button", {
      type: "button", class: "weui-cell weui-cell_access options__item",
      on: { click: () => hooks.choose(option) },
    }, digits && h("b", { class: "options__digit" }, digits[index]), h("span", { class: "weui-cell__bd" }, option.title), h("span", { class: "weui-cell__ft", "aria-hidden": "true" })));
  }
  return list;
}

function result(text) {
  const blocks = parseResult(text);
  if (!blocks.some((block) => block.type !== "text")) return bubble(text);
  const box = h("div", { class: "sheet" });
  let pairs = null;
  for (const block of blocks) {
    if (block.type === "pair") {
      if (!pairs) box.append(pairs = h("dl", { class: "sheet__pairs" }));
      pairs.append(h("div", {}, h("dt", {}, block.label), h("dd", {}, linkify(block.value))));
    } else {
      pairs = null;
      box.append(h("p", { class: block.type === "item" ? "sheet__item" : "sheet__text" }, linkify(block.text)));
    }
  }
  return box;
}

function caseCard(message) {
  const text = message.text || "";
  const due = message.due_at ? when(message.due_at) : (DUE.exec(text) || [""])[0];
  return h("div", { class: "sheet sheet_case" },
    h("p", { class: "sheet__title" }, "工单已登记"),
    h("dl", { class: "sheet__pairs" },
      message.case_no && h("div", {}, h("dt", {}, "工单号"), h("dd", {}, h("b", {}, message.case_no), copyButton(message.case_no))),
      due && h("div", {}, h("dt", {}, "截止时间"), h("dd", {}, due))),
    text && h("p", { class: "sheet__text sheet__text_small" }, linkify(text)));
}

function copyButton(value) {
  if (!navigator.clipboard) return null;
  return h("button", {
    type: "button", class: "link-button", "aria-label": `复制工单号 ${value}`,
    on: { click: () => navigator.clipboard.writeText(value).then(() => toast("已复制"), () => toast("未能复制，请手动选择")) },
  }, "复制");
}

function emergency(message) {
  const text = message.text || "";
  const offered = (message.options || []).filter((option) => /^tel:[\d+-]+$/.test(option.payload));
  const numbers = offered.length ? offered.map((option) => [option.payload.slice(4), option.title])
    : [...new Set(text.match(PHONE) || ["110", "119", "120"])].map((number) => [number, PHONE_NAMES[number] || "拨打"]);
  return h("div", { class: "alarm", role: "alert" },
    h("p", { class: "alarm__title" }, "紧急提示"),
    h("p", { class: "alarm__text" }, linkify(text)),
    h("div", { class: "alarm__calls" }, numbers.map(([number, label]) =>
      h("a", { href: `tel:${number}`, "aria-label": `拨打 ${number} ${label}` }, h("b", {}, number), label !== number && h("span", {}, label)))),
    message.case_no && h("p", { class: "alarm__case" }, `工单号 ${message.case_no}`));
}
