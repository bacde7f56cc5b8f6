// The list of cases with its tabs.
import { byId, h } from "../dom.js";
import { get } from "../api.js";
import { when } from "../format.js";
import { caseTime, isOpen, tags } from "./common.js";
import { inOrder } from "./order.js";

const LIMIT = 100; // the most that the API gives at once
const COUNT_EVERY = 3; // polls between two refreshes of the tab counts

const QUERIES = {
  new: { status: ["new", "transferred"] },
  mine: { mine: true, status: ["assigned", "in_progress", "waiting", "reopened"] },
  overdue: { overdue: true },
  all: {},
};

export class Queue {
  constructor({ open }) {
    this.open = open;
    this.tab = "new";
    this.selected = "";
    this.polls = 0;
    this.shown = "";
    this.departments = new Set();
    this.tabs = [...document.querySelectorAll("[data-tab]")];
    for (const tab of this.tabs) {
      tab.addEventListener("click", () => this.choose(tab.dataset.tab));
      tab.addEventListener("keydown", (event) => this.arrow(event));
    }
  }

  arrow(event) {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const at = this.tabs.findIndex((tab) => tab.dataset.tab === this.tab);
    const next = this.tabs[(at + step + this.tabs.length) % this.tabs.length];
    this.choose(next.dataset.tab);
    next.focus();
  }

  choose(name) {
    this.tab = name;
    for (const tab of this.tabs) {
      const current = tab.dataset.tab === name;
      tab.setAttribute("aria-selected", String(current));
      tab.tabIndex = current ? 0 : -1;
    }
    byId("queue-list").setAttribute("aria-labelledby", `tab-${name}`);
    this.shown = "";
    byId("queue-list").replaceChildren();
    byId("queue-state").textContent = "正在加载…";
    return this.load();
  }

  async load() {
    const tab = this.tab;
    const page = await get("/cases", { ...QUERIES[tab], limit: LIMIT });
    if (tab !== this.tab) return;
    const cases = inOrder(page.cases);
    for (const one of page.cases) if (one.department) this.departments.add(one.department);
    this.render(cases, page.total);
    if (this.polls % COUNT_EVERY === 0) await this.count();
    this.polls += 1;
  }

  async count() {
    const [fresh, late, mine] = await Promise.all([
      get("/cases", { ...QUERIES.new, limit: 1 }), get("/cases", { ...QUERIES.overdue, limit: 1 }), get("/cases", { ...QUERIES.mine, limit: 1 }),
    ]);
    this.badge("new", fresh.total);
    this.badge("overdue", late.total);
    this.badge("mine", mine.total);
  }

  badge(tab, number) {
    const badge = document.querySelector(`[data-tab="${tab}"] .count`);
    badge.textContent = number > 99 ? "99+" : String(number);
    badge.hidden = !number;
  }

  render(cases, total) {
    byId("queue-state").textContent = cases.length ? `共 ${total} 件${total > cases.length ? `，显示前 ${cases.length} 件` : ""}` : "";
    const list = byId("queue-list");
    const fingerprint = JSON.stringify(cases);
    if (fingerprint === this.shown) return;
    this.shown = fingerprint;
    const focused = document.activeElement?.dataset?.case;
    list.replaceChildren(...(cases.length ? cases.map((one) => this.row(one)) : [h("p", { class: "empty" }, EMPTY[this.tab])]));
    if (focused) list.querySelector(`[data-case="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
    this.select(this.selected);
  }

  row(one) {
    return h("a", {
      class: `row ${one.priority === "urgent" && isOpen(one) ? "row_urgent" : ""}`, href: `/staff/cases/${encodeURIComponent(one.case_no)}`, dataset: { case: one.case_no },
      on: {
        click: (event) => {
          if (event.metaKey || event.ctrlKey || event.shiftKey) return;
          event.preventDefault();
          this.open(one.case_no);
        },
      },
    },
    h("span", { class: "row__top" }, h("span", { class: "row__tags" }, tags(one)), caseTime(one)),
    h("span", { class: "row__title" }, one.title || "（无标题）"),
    h("span", { class: "row__meta" }, [one.case_no, one.department || "未分配", one.assignee && `经办 ${one.assignee}`, when(one.created_at)].filter(Boolean).join(" · ")));
  }

  select(caseNo) {
    this.selected = caseNo;
    for (const row of document.querySelectorAll(".row")) {
      if (row.dataset.case === caseNo) row.setAttribute("aria-current", "true");
      else row.removeAttribute("aria-current");
    }
  }
}

const EMPTY = { new: "没有待受理的工单", mine: "您名下没有在办的工单", overdue: "没有逾期的工单", all: "还没有工单" };
