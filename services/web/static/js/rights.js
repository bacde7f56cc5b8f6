// What the person of this page may do, as the server says (services/core/permissions.py). The server asks again each time.

const granted = new Set((document.body.dataset.rights || "").split(" "));

/** Does the person have this right? */
export const may = (right) => granted.has(right);
