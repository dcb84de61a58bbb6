// What an operator has charge points do, and what is said of it.

import { read, write } from "/static/api.js";
import { askStart, confirmed } from "/static/dialogs.js";
import { words } from "/static/format.js";

const KEPT = 200;
const SHOWN_MS = { good: 6_000, bad: 20_000 };
const sent = new Map(); // command_id -> what was asked, so that the charge point's answer can be told
const early = new Map(); // answers that overtook the response to their command
let hiding = 0;

export function say(text, kind = "good") {
  const message = document.getElementById("message");
  message.dataset.kind = kind;
  message.textContent = text;
  clearTimeout(hiding);
  hiding = setTimeout(() => (message.textContent = ""), SHOWN_MS[kind]);
}

export async function order(path, what, body) {
  try {
    const accepted = await write(path, body);
    say(`${what}: sent`);
    for (const id of accepted.command_ids ?? [accepted.command_id]) {
      remember(sent, id, what);
      if (early.has(id)) answered(early.get(id));
    }
  } catch (problem) {
    say(`${what}: ${problem.message}`, "bad");
  }
}

export function answered(reply) {
  const what = sent.get(reply.command_id);
  if (what === undefined) {
    remember(early, reply.command_id, reply);
    return;
  }
  early.delete(reply.command_id);
  if (reply.outcome === "ACCEPTED") {
    say(`${what}: accepted`);
  } else {
    const why = reply.error_description ?? words(reply.error_code) ?? "";
    say(`${what}: ${words(reply.outcome.toLowerCase())}${why ? ` (${why})` : ""}`, "bad");
  }
}

export async function startAt(cpId) {
  const answer = await askStart(cpId);
  if (answer === null) return;
  const body = answer.kwh === null ? { driver_id: answer.driver_id } : answer;
  await order(`/cp/${encodeURIComponent(cpId)}/start`, `${cpId}: start`, body);
}

export function stop(cpId) {
  return order(`/cp/${encodeURIComponent(cpId)}/stop`, `${cpId}: stop`);
}

export function resume(cpId) {
  return order(`/cp/${encodeURIComponent(cpId)}/resume`, `${cpId}: resume`);
}

export function inject(cpId, kind) {
  return order(`/cp/${encodeURIComponent(cpId)}/inject`, `${cpId}: ${kind}`, { kind });
}

export function endSession(sessionId, cpId) {
  return order(`/api/v1/sessions/${encodeURIComponent(sessionId)}/stop`, `${cpId}: end the session`);
}

export async function stopAll() {
  const sure = await confirmed("Stop all charge points?", "Running sessions are ended. They stay stopped until resumed.");
  if (sure) await order("/cp/stop", "All charge points: stop");
}

export function resumeAll() {
  return order("/cp/resume", "All charge points: resume");
}

export async function setPrice(price) {
  try {
    const now = await read("/pricing"); // the solar price stays as it is
    await write("/pricing", { price, currency: now.currency, solar_price: now.solar_price });
    say("The new price is in force.");
    return true;
  } catch (problem) {
    say(`The price was not changed: ${problem.message}`, "bad");
    return false;
  }
}

function remember(map, key, value) {
  map.set(key, value);
  if (map.size > KEPT) map.delete(map.keys().next().value);
}
