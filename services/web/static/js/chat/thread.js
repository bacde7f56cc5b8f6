// The list of messages: order by seq, no doubles, time lines, scrolling.
import { byId, h } from "../dom.js";
import { when } from "../format.js";
import { renderMessage, renderOutgoing } from "./messages.js";
import { matches } from "./outbox.js";

const TIME_GAP = 5 * 60 * 1000;
const NEAR_END = 120; // pixels from the bottom that still count as reading the newest message

export class Thread {
  constructor(hooks) {
    this.hooks = hooks;
    this.list = byId("thread");
    this.scroller = byId("scroll");
    this.pill = byId("new-pill");
    this.known = new Set();
    this.answered = 0; // highest seq of a bot's or clerk's message
    this.outgoing = new Map(); // client_message_id -> {item, node}
    this.pill.addEventListener("click", () => this.toEnd());
    this.stuck = true;
    this.scroller.addEventListener("scroll", () => {
      this.stuck = this.nearEnd();
      if (this.stuck) this.pill.hidden = true;
    }, { passive: true });
    // The keyboard, a banner or a growing input line shrinks the list: who was at the end stays there.
    new ResizeObserver(() => { if (this.stuck) this.toEnd(); }).observe(this.scroller);
  }

  get highest() {
    return Math.max(0, ...this.known);
  }

  clear() {
    this.known.clear();
    this.answered = 0;
    this.outgoing.clear();
    this.list.replaceChildren();
  }

  /** Show a message of the server once. Returns false when it was shown already. */
  show(message) {
    if (this.known.has(message.id)) return false;
    this.known.add(message.id);
    if (message.sender === "bot" || message.sender === "clerk") this.answered = Math.max(this.answered, message.id);
    // A rating shows on its answer and is no line of the talk.
    if (message.sender === "citizen" && message.type === "feedback") return true;
    if (message.sender === "citizen" && this.adopt(message)) return true;
    const stick = this.nearEnd();
    const node = renderMessage(message, this.hooks);
    this.place(node, message.id);
    this.retireOptions();
    if (stick) this.toEnd(); else if (message.sender !== "citizen") this.pill.hidden = false;
    return true;
  }

  /** Show what the citizen just sent (or could not send before a reload). */
  showOutgoing(item) {
    const node = renderOutgoing(item, this.hooks);
    this.outgoing.set(item.id, { item, node });
    this.timeLine(node, this.list.lastElementChild);
    this.list.append(node);
    this.retireOptions();
    this.toEnd();
  }

  /** `sending`, `sent`, or `failed` with the reason. */
  mark(id, state, reason = "") {
    const entry = this.outgoing.get(id);
    if (!entry) return;
    entry.node.dataset.state = state;
    entry.node.querySelector(".unsent__reason").textContent = reason;
    if (state === "failed" && this.nearEnd()) this.toEnd();
  }

  discard(id) {
    this.outgoing.get(id)?.node.remove();
    this.outgoing.delete(id);
  }

  // The server's copy of something sent from this page takes the place of the local bubble. Its text may differ from
  // what was typed (an identifier became a placeholder); then the oldest bubble known to have arrived is meant.
  adopt(message) {
    const all = [...this.outgoing.values()];
    const entry = all.find(({ item }) => matches(message, item))
      || all.find(({ item, node }) => node.dataset.state === "sent" && message.id > item.after);
    if (!entry) return false;
    entry.node.dataset.seq = message.id;
    entry.node.dataset.state = "sent";
    this.outgoing.delete(entry.item.id);
    this.hooks.confirmed(entry.item.id);
    return true;
  }

  place(node, seq) {
    let before = null;
    for (let other = this.list.lastElementChild; other; other = other.previousElementSibling) {
      const otherSeq = Number(other.dataset.seq);
      if (otherSeq && otherSeq < seq) break;
      if (otherSeq > seq) before = other;
    }
    if (!before) this.timeLine(node, this.list.lastElementChild);
    this.list.insertBefore(node, before);
  }

  timeLine(node, previous) {
    const at = Date.parse(node.dataset.at);
    const last = previous ? Date.parse(previous.dataset.at) : NaN;
    if (Number.isNaN(at) || (at - last) < TIME_GAP) return;
    this.list.append(h("li", { class: "notice notice_time", dataset: { at: node.dataset.at } }, h("time", { datetime: node.dataset.at }, when(node.dataset.at))));
  }

  // A form's options are answered by what comes next; candidates stay open, one may want to read another.
  retireOptions() {
    const lists = [...this.list.querySelectorAll(".options:not(.options_candidates)")];
    const lastCitizen = [...this.list.querySelectorAll(".msg_out")].pop();
    for (const list of lists) {
      const stale = Boolean(lastCitizen && (list.compareDocumentPosition(lastCitizen) & Node.DOCUMENT_POSITION_FOLLOWING));
      for (const button of list.querySelectorAll("button")) button.disabled = stale;
    }
  }

  nearEnd() {
    const { scrollHeight, scrollTop, clientHeight } = this.scroller;
    return scrollHeight - scrollTop - clientHeight < NEAR_END;
  }

  toEnd() {
    this.pill.hidden = true;
    this.stuck = true;
    requestAnimationFrame(() => { this.scroller.scrollTop = this.scroller.scrollHeight; });
  }
}
