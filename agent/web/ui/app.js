// Fills the status page from /api/v1/status every two seconds. What comes from the agent is written as text, never as HTML.
"use strict";

const period_ms = 2000;
const give_up_ms = 5000;
const marks = { up: "●", down: "■", pending: "◌" };
const nameless = { push: "pushed metrics", agent: "the agent itself" };

const byId = (id) => document.getElementById(id);
let paused = false;
let timer = 0;

function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

function formatAge(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
  return `${Math.floor(seconds / 86400)} d ${Math.floor((seconds % 86400) / 3600)} h`;
}

function formatDuration(seconds) {
  if (seconds === null) return "–";
  if (seconds < 1) return `${(seconds * 1000).toFixed(seconds < 0.01 ? 2 : 0)} ms`;
  return `${seconds.toFixed(2)} s`;
}

const formatCount = (count) => count.toLocaleString("en-US");
const ago = (seconds) => (seconds === null ? "never" : `${formatAge(seconds)} ago`);

function cell(tag, className) {
  const node = document.createElement(tag);
  node.className = className;
  return node;
}

function makeRow() {
  const row = document.createElement("tr");
  const name = cell("th", "");
  name.scope = "row";
  const state = cell("td", "");
  state.append(cell("span", "chip"));
  row.append(name, state, cell("td", "number"), cell("td", "number"), cell("td", "number"), cell("td", "number"),
             cell("td", "error"));
  return row;
}

function fillRow(row, target) {
  const [name, state, age, took, samples, failed, error] = row.children;
  setText(name, target.target ? `${target.kind} ${target.target}` : nameless[target.kind] || target.kind);
  const chip = state.firstChild;
  chip.className = `chip ${target.state}`;
  setText(chip, `${marks[target.state]} ${target.state}`);
  setText(age, target.state === "pending" ? "–" : ago(target.success_age_seconds));
  setText(took, formatDuration(target.duration_seconds));
  setText(samples, formatCount(target.samples));
  setText(failed, `${formatCount(target.failures)} / ${formatCount(target.attempts)}`);
  const last = target.last_error;
  setText(error, last ? `${last.reason}, ${ago(last.age_seconds)}: ${last.message}` : "none");
}

function showState(state, sentence) {
  byId("state").className = `state ${state}`;
  setText(byId("state").firstElementChild, marks[state]);
  setText(byId("state-text"), sentence);
}

function sentenceFor(targets) {
  const down = targets.filter((target) => target.state === "down");
  const pending = targets.filter((target) => target.state === "pending");
  if (targets.length === 0) return ["pending", "No target is configured; pushed metrics alone are served"];
  if (down.length > 0) {
    const names = down.map((target) => `${target.kind} ${target.target}`).join(", ");
    return ["down", `${down.length} of ${targets.length} down: ${names}`];
  }
  if (pending.length > 0) return ["pending", `${pending.length} of ${targets.length} not collected yet`];
  return ["up", targets.length === 1 ? "The target is up" : `All ${targets.length} targets are up`];
}

function show(status) {
  const all = status.targets;
  const targets = all.filter((entry) => entry.target !== "");
  showState(...sentenceFor(targets));
  const sum = (field) => formatCount(all.reduce((total, entry) => total + entry[field], 0));
  setText(byId("about"), `version ${status.version}${status.ready ? "" : ", not ready"}`);
  setText(byId("figure-up"), `${targets.filter((entry) => entry.state === "up").length} / ${targets.length}`);
  setText(byId("figure-samples"), formatCount(status.samples));
  setText(byId("figure-attempts"), sum("attempts"));
  setText(byId("figure-failures"), sum("failures"));
  setText(byId("figure-uptime"), formatAge(status.uptime_seconds));
  byId("hint").hidden = !all.some((entry) => entry.state === "pending");
  const rows = byId("rows");
  while (rows.children.length > all.length) rows.lastChild.remove();
  while (rows.children.length < all.length) rows.append(makeRow());
  all.forEach((entry, index) => fillRow(rows.children[index], entry));
}

async function refresh() {
  clearTimeout(timer);
  try {
    const answer = await fetch("/api/v1/status", { cache: "no-store", signal: AbortSignal.timeout(give_up_ms) });
    if (!answer.ok) throw new Error(`the agent answered ${answer.status}`);
    show(await answer.json());
  } catch (error) {
    showState("down", `The agent cannot be reached; the figures below are old (${error.message})`);
  }
  clearTimeout(timer);
  if (!paused && !document.hidden) timer = setTimeout(refresh, period_ms);
}

byId("pause").addEventListener("click", () => {
  paused = !paused;
  byId("pause").setAttribute("aria-pressed", String(paused));
  setText(byId("pause"), paused ? "Resume" : "Pause");
  if (paused) clearTimeout(timer);
  else refresh();
});
document.addEventListener("visibilitychange", () => {
  if (!document.hidden && !paused) refresh();
});
refresh();
