// What an appointment may become next, and appointments by their hour. Pure.

export const STATUS = { booked: "待到场", checked_in: "已签到", served: "已办", no_show: "未到" };

/** Of each status: [path below the appointment, label, look of the button]. */
const ACTIONS = {
  booked: [["check-in", "签到", "primary"], ["no-show", "未到", "default"]],
  checked_in: [["served", "已办", "primary"]],
  no_show: [["check-in", "补签到", "default"]],
};

/** What may be done with an appointment at this moment: nobody is missed before the hour has begun. */
export function actionsOf(one, now) {
  const all = ACTIONS[one.status] || [];
  return Date.parse(one.start_at) <= now ? all : all.filter(([path]) => path !== "no-show");
}

/**
 * Appointments grouped by their hour, hours and appointments in order.
 * @param {{start_at: string, end_at: string}[]} appointments
 * @returns {{start: string, end: string, visits: Object[]}[]}
 */
export function byHour(appointments) {
  const hours = new Map();
  for (const one of appointments) {
    const key = `${one.start_at}/${one.end_at}`;
    if (!hours.has(key)) hours.set(key, { start: one.start_at, end: one.end_at, visits: [] });
    hours.get(key).visits.push(one);
  }
  return [...hours.values()].sort((a, b) => Date.parse(a.start) - Date.parse(b.start));
}
