// In which order cases stand in the list; the server sorts the same way.

const SETTLED = ["resolved", "closed", "merged"];

export const isOpen = (kase) => !SETTLED.includes(kase.status);

/** Open before settled; of the open ones the doubtful alarms last, else urgent first, then whatever is due first. */
export function inOrder(cases) {
  const due = (one) => (one.next_due_at ? Date.parse(one.next_due_at) : Infinity);
  return [...cases].sort((a, b) =>
    isOpen(b) - isOpen(a)
    || (isOpen(a) ? Boolean(a.doubtful) - Boolean(b.doubtful) || (b.priority === "urgent") - (a.priority === "urgent") || due(a) - due(b) : 0)
    || Date.parse(b.created_at) - Date.parse(a.created_at));
}
