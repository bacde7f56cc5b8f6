// Words and figures as people read them. All times are shown in Asia/Shanghai whatever the device's zone.

const ZONE = "Asia/Shanghai";
const DAY_PARTS = new Intl.DateTimeFormat("en-CA", { timeZone: ZONE, year: "numeric", month: "2-digit", day: "2-digit" });
const CLOCK = new Intl.DateTimeFormat("en-GB", { timeZone: ZONE, hour: "2-digit", minute: "2-digit" });

/** `2026-10-09` of an instant, in Shanghai. */
export const isoDay = (date) => DAY_PARTS.format(date);

/** `14:05`, `昨天 14:05`, `10月9日 14:05` or `2025年10月9日 14:05`. */
export function when(value, now = new Date()) {
  const date = value instanceof Date ? value : new Date(value);
  if (!value || Number.isNaN(date.getTime())) return "";
  const clock = CLOCK.format(date);
  const day = isoDay(date);
  if (day === isoDay(now)) return clock;
  if (day === isoDay(new Date(now.getTime() - 86400000))) return `昨天 ${clock}`;
  if (day === isoDay(new Date(now.getTime() + 86400000))) return `明天 ${clock}`;
  const [year, month, dayOfMonth] = day.split("-").map(Number);
  const short = `${month}月${dayOfMonth}日 ${clock}`;
  return year === Number(isoDay(now).slice(0, 4)) ? short : `${year}年${short}`;
}

/** From when to when an entry holds, both days included, and whether it is over today: `{text, late}`. */
export function validity({ valid_from: from, valid_to: to }, now = new Date()) {
  const day = (value) => String(value).slice(0, 10);
  const late = Boolean(to) && day(to) < isoDay(now);
  if (!from && !to) return { text: "长期有效", late };
  return { text: `${from ? day(from) : "…"} 至 ${to ? day(to) : "长期"}${late ? "（已过期）" : ""}`, late };
}

/** `14:05` of an instant, in Shanghai. */
export const clock = (value) => CLOCK.format(new Date(value));

/** A length of time in words, two units at most: `45 秒`, `12 分钟`, `3 小时 5 分`, `2 天 4 小时`. */
export function span(milliseconds) {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  const minutes = Math.floor(seconds / 60);
  const hours = Math.floor(minutes / 60);
  const days = Math.floor(hours / 24);
  if (minutes < 1) return `${seconds} 秒`;
  if (hours < 1) return `${minutes} 分钟`;
  if (days < 1) return minutes % 60 ? `${hours} 小时 ${minutes % 60} 分` : `${hours} 小时`;
  return hours % 24 ? `${days} 天 ${hours % 24} 小时` : `${days} 天`;
}

/** Minutes as one figure with its unit, for statistics: `{value: "3.2", unit: "小时"}`; `–` when unknown. */
export function duration(minutes) {
  if (minutes === null || minutes === undefined) return { value: "–", unit: "" };
  if (minutes < 1) return { value: "<1", unit: "分钟" };
  if (minutes < 60) return { value: String(Math.round(minutes)), unit: "分钟" };
  if (minutes < 1440) return { value: trim(minutes / 60), unit: "小时" };
  return { value: trim(minutes / 1440), unit: "天" };
}

/** A share (0..1) as per cent; never rounded up to 100 % when something is missing. */
export function percent(share) {
  if (share === null || share === undefined) return "–";
  const shown = share < 1 ? Math.min(share * 100, 99.9) : 100;
  return `${trim(shown)}%`;
}

const trim = (number) => number.toFixed(1).replace(/\.0$/, "");

const WORDS = {
  kind: { consultation: "咨询", help: "求助", complaint: "投诉", report: "举报", suggestion: "建议", urgent: "紧急求助" },
  status: { new: "待受理", assigned: "已受理", in_progress: "办理中", waiting: "待市民补充", resolved: "已办结", closed: "已关闭", reopened: "重新办理", merged: "已合并", transferred: "已转办" },
  since: { raised: "升为紧急", reopened: "重新办理", merged: "并入工单登记" },
  target: { first_response: "首次答复", update: "进展更新", resolution: "办结" },
  clock: { running: "计时中", paused: "暂停计时", met: "按时", breached: "已逾期", cancelled: "已取消" },
  channel: { web: "网页", wechat: "微信", import: "导入" },
  identifier: {
    plate: "车牌号", id_card: "身份证号", license_file_no: "档案编号", household_no: "户号", phone: "手机号", engine_tail: "发动机号", phone_tail: "手机尾号",
  },
};

/** The Chinese word for a value of the API; the value itself when a newer server sends an unknown one. */
export const word = (group, value) => (Object.hasOwn(WORDS[group], value) ? WORDS[group][value] : String(value ?? ""));
