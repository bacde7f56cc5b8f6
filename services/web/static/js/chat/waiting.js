// The bubble that says an answer is on its way. It never waits for ever.
import { byId } from "../dom.js";

const TYPING_LIMIT = 20000;
const PENDING_LIMIT = 60000;

export class Waiting {
  /** @param {{shown: () => void, expired: () => void}} hooks `expired` runs when a pending answer took too long */
  constructor(hooks) {
    this.hooks = hooks;
    this.box = byId("waiting");
    this.text = byId("waiting-text");
    this.timer = 0;
    this.pendingAfter = null;
  }

  typing() {
    if (this.pendingAfter === null) this.show("正在输入", TYPING_LIMIT);
  }

  /** The server works on; the answer comes by the stream with a seq above `after`. `told`: it has said so itself. */
  pending(after, told) {
    this.pendingAfter = after;
    this.show(told ? "" : "正在查询，请稍候", PENDING_LIMIT);
  }

  get isPending() {
    return this.pendingAfter !== null;
  }

  /** A message arrived: stop when it is the answer that was waited for. */
  arrived(message) {
    // A system line ("正在查询…", "已接入") is no answer.
    if (message.sender === "citizen" || message.sender === "system") return;
    if (this.pendingAfter === null || message.id > this.pendingAfter) this.stop();
  }

  stop() {
    clearTimeout(this.timer);
    this.pendingAfter = null;
    this.box.hidden = true;
  }

  show(text, limit) {
    clearTimeout(this.timer);
    this.text.textContent = text;
    this.box.hidden = false;
    this.hooks.shown();
    this.timer = setTimeout(() => {
      const waited = this.isPending;
      this.stop();
      if (waited) this.hooks.expired();
    }, limit);
  }
}
