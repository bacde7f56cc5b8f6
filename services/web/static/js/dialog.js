// One modal dialog per page: a title, fields, two buttons. Escape and 取消 close it.
import { byId, h } from "./dom.js";

/**
 * Ask for input or a confirmation.
 * @param {{title: string, text?: string, confirm: string, danger?: boolean,
 *   fields?: {name: string, label: string, multiline?: boolean, rows?: number, list?: string[], maxlength?: number, value?: string,
 *   optional?: boolean, type?: string, number?: boolean, choices?: [string, string][]}[]}} what `choices`: [value, label] of a selection
 * @param {(values: Object<string, string>) => Promise<void>} act runs on confirm; what it throws is shown, and the dialog stays
 */
export function ask(what, act) {
  const dialog = byId("dialog");
  const error = h("p", { class: "form-error", role: "alert", hidden: true });
  const confirm = h("button", { type: "submit", class: `weui-btn weui-btn_mini ${what.danger ? "weui-btn_warn" : "weui-btn_primary"}` }, what.confirm);
  const fields = (what.fields || []).map((field) => {
    const common = { class: "input", name: field.name, required: !field.optional };
    if (!field.choices && !field.type) common.maxlength = field.maxlength || 2000;
    const list = field.list && h("datalist", { id: `list-${field.name}` }, field.list.map((value) => h("option", { value })));
    const input = field.choices ? h("select", { class: "input", name: field.name }, field.choices.map(([value, label]) => h("option", { value, selected: value === field.value }, label)))
      : field.multiline ? h("textarea", { ...common, rows: field.rows || 4 })
        : h("input", { ...common, type: field.type || "text", list: list && `list-${field.name}`, autocomplete: "off", ...(field.number ? { type: "number", min: 1, max: 366, inputmode: "numeric" } : {}) });
    if (field.value && !field.choices) input.value = field.value;
    return { input, node: h("label", { class: "field" }, h("span", {}, field.label), input, list) };
  });
  const form = h("form", { method: "dialog", on: { submit } },
    h("h2", { id: "dialog-title" }, what.title),
    what.text && h("p", { class: "muted" }, what.text),
    fields.map((field) => field.node), error,
    h("div", { class: "dialog__buttons" },
      h("button", { type: "button", class: "weui-btn weui-btn_mini weui-btn_default", on: { click: () => dialog.close() } }, "取消"), confirm));

  async function submit(event) {
    event.preventDefault();
    error.hidden = true;
    confirm.disabled = true;
    try {
      await act(Object.fromEntries(fields.map(({ input }) => [input.name, input.value.trim()])));
      dialog.close();
    } catch (problem) {
      error.textContent = problem.message;
      error.hidden = false;
      confirm.disabled = false;
    }
  }

  dialog.replaceChildren(form);
  dialog.showModal();
  (fields[0]?.input || confirm).focus();
}
