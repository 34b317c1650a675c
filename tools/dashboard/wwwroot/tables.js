// The tables. A column has a head, what it shows of a row, and whether that is text.

import { bytes, number } from "/text.js";
import { actionsOf } from "/control.js";

const componentColumns = [
  ["name", c => c.name, true], ["kind", c => c.kind, true], ["node", c => c.node], ["state", c => c.state, true],
  ["CPU %", c => number(c.cpuPercent)], ["host memory", c => bytes(c.hostBytes)], ["in use", c => bytes(c.inUseBytes)],
  ["processes", c => number(c.processes)], ["faults", c => number(c.faults)], ["local %", c => number(c.localPercent)],
  ["fetched", c => number(c.fetched)], ["written back", c => number(c.writtenBack)], ["messages", c => number(c.messages)],
  ["KB", c => number(c.kilobytes)],
];
const regionColumns = [
  ["home", r => r.home, true], ["owner", r => r.owner, true], ["spaces", r => number(r.spaces)], ["runs", r => number(r.runs)],
  ["addresses", r => bytes(r.bytes)],
];
const vnodeColumns = [
  ["name", v => v.name, true], ["processes", v => number(v.processes)], ["memory", v => bytes(v.memoryBytes)],
  ["stored at m", v => bytes(v.storedBytes)], ["limit", v => v.memoryLimitBytes ? bytes(v.memoryLimitBytes) : "–"],
  ["CPU s", v => cpuSeconds(v.cpuTime)], ["root", v => v.root, true],
];

export const fillComponents = (table, rows) => fill(table, componentColumns, rows, c => c.state === "ended" ? "ended" : "", actionsOf);
export const fillRegions = (table, rows) => fill(table, regionColumns, rows);
export const fillVNodes = (table, rows) => fill(table, vnodeColumns, rows);

/** "00:00:01.2345678", as System.Text.Json writes a TimeSpan. */
function cpuSeconds(text) {
  const [hours, minutes, seconds] = text.split(":").map(Number);
  return (hours * 3600 + minutes * 60 + seconds).toFixed(1);
}

function fill(table, columns, rows, classOf = () => "", actions = () => null) {
  const hasActions = rows.some(row => actions(row) !== null);
  if (table.tHead === null) {
    const head = table.createTHead().insertRow();
    columns.forEach(([title, , isText]) => head.append(cell("th", title, isText, "col")));
    if (hasActions) {
      head.append(cell("th", "control", false, "col"));
    }

    table.createTBody();
  }

  // While a button has the focus or the pointer its row stays: a table that is made anew each second cannot be clicked.
  const body = table.tBodies[0];
  const names = rows.map(row => columns[0][1](row)).join();
  if (!hasActions || body.dataset.names !== names) {
    body.replaceChildren(...rows.map(() => document.createElement("tr")));
    body.dataset.names = names;
  }

  rows.forEach((row, i) => {
    const line = body.rows[i];
    line.className = classOf(row);
    const cells = columns.map(([, show, isText], column) => cell(column === 0 ? "th" : "td", show(row), isText, "row"));
    const last = hasActions ? line.lastElementChild ?? actionCell(actions(row)) : null;
    [...line.children].filter(child => child !== last).forEach(child => child.remove());
    cells.forEach(made => line.insertBefore(made, last?.parentNode === line ? last : null));
    if (last !== null && last.parentNode !== line) {
      line.append(last);
    }
  });
}

function cell(tag, content, isText, scope) {
  const made = document.createElement(tag);
  made.textContent = content;
  made.className = isText ? "text" : "";
  if (tag === "th") {
    made.scope = scope;
  }

  return made;
}

function actionCell(buttons) {
  const made = document.createElement("td");
  made.append(...buttons ?? []);
  return made;
}
