// Lists that come in pages: the two buttons, the number between them, and failures.
import { byId, h, toast } from "../dom.js";
import { toLogin } from "../api.js";

export const PAGE = 20;

export function failed(error) {
  if (error.status === 401) toLogin();
  else toast(error.message, { alert: true });
}

export class Pager {
  /** @param {string} name elements are `NAME-pager`, `NAME-prev`, `NAME-next`, `NAME-page` */
  constructor(name, load) {
    this.name = name;
    this.offset = 0;
    byId(`${name}-prev`).addEventListener("click", () => { this.offset = Math.max(0, this.offset - PAGE); load(); });
    byId(`${name}-next`).addEventListener("click", () => { this.offset += PAGE; load(); });
  }

  /** Show the nodes of a page in `list`, or a sentence when there are none. */
  show(list, nodes, total, nothing) {
    list.replaceChildren(...(nodes.length ? nodes : [h("p", { class: "empty" }, nothing)]));
    byId(`${this.name}-pager`).hidden = total <= PAGE;
    byId(`${this.name}-prev`).disabled = this.offset === 0;
    byId(`${this.name}-next`).disabled = this.offset + nodes.length >= total;
    byId(`${this.name}-page`).textContent = `${Math.floor(this.offset / PAGE) + 1} / ${Math.max(1, Math.ceil(total / PAGE))}`;
  }
}
