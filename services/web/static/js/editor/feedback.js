// What citizens said of answers, the least helpful first.
import { byId, h } from "../dom.js";
import { get } from "../api.js";
import { percent } from "../format.js";
import { PAGE, Pager, failed } from "./paging.js";

const LOW = 0.5;
const pager = new Pager("feedback", showFeedback);

export async function showFeedback() {
  try {
    const found = await get("/knowledge/feedback", { limit: PAGE, offset: pager.offset });
    byId("feedback-state").textContent = `共 ${found.total} 条有评价，有帮助比例低的在前`;
    pager.show(byId("ratings"), found.entries.map(card), found.total, "还没有市民评价");
  } catch (error) {
    failed(error);
  }
}

function card(entry) {
  return h("article", { class: "keyword" },
    h("span", { class: `rating__share ${entry.share < LOW ? "rating__share_low" : ""}` }, percent(entry.share)),
    h("div", { class: "keyword__body" },
      h("p", {}, entry.question),
      h("p", { class: "muted small" }, `有帮助 ${entry.helpful} · 没帮助 ${entry.not_helpful} · ${entry.department || "未注明部门"} · 编号 ${entry.id}`)));
}
