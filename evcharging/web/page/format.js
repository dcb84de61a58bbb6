// How numbers, money and moments are written. Unknown is a dash.

const DASH = "–";
const moneyFormats = new Map();

export function kw(value) {
  return value === null || value === undefined ? DASH : `${value.toFixed(value < 100 ? 1 : 0)} kW`;
}

export function kwh(value) {
  return value === null || value === undefined ? DASH : `${figure(value)} kWh`;
}

export function figure(value) {
  const digits = Math.abs(value) < 10 ? 3 : Math.abs(value) < 1000 ? 2 : 0;
  return value.toLocaleString(undefined, { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

export function money(value, currency, options = {}) {
  if (value === null || value === undefined) return DASH;
  const key = `${currency}${JSON.stringify(options)}`;
  if (!moneyFormats.has(key)) {
    moneyFormats.set(key, new Intl.NumberFormat(undefined, { style: "currency", currency, ...options }));
  }
  return moneyFormats.get(key).format(value);
}

export function price(value, currency) {
  return `${money(value, currency, { maximumFractionDigits: 6 })} per kWh`;
}

export function share(value) {
  return value === null || value === undefined ? DASH : `${Math.round(value * 100)} %`;
}

export function count(value) {
  return value === null || value === undefined ? DASH : value.toLocaleString();
}

export function clock(text) {
  return text ? new Date(text).toLocaleTimeString() : DASH;
}

export function moment(text) {
  return text ? new Date(text).toLocaleString(undefined, { dateStyle: "short", timeStyle: "medium" }) : DASH;
}

export function state(name) {
  return name.charAt(0) + name.slice(1).toLowerCase();
}

export function words(code) {
  return code ? code.replaceAll("_", " ") : "";
}
