// The page: hears the server's events (tools/dashboard/server/Feed.cs) and gives each to the part that shows it.

import { Charts } from "/charts.js";
import { drawRack } from "/rack.js";
import { fillComponents, fillRegions, fillVNodes } from "/tables.js";
import { Log } from "/log.js";

const charts = new Charts();
const log = new Log(document.getElementById("log"));
const summary = document.getElementById("summary");
const condition = document.getElementById("condition");
const trouble = document.getElementById("trouble");

function showCondition(isUp, word, sentence) {
  condition.textContent = word;
  condition.className = isUp ? "up" : "down";
  trouble.textContent = sentence;
  trouble.hidden = isUp;
}

const take = {
  condition: ({ isUp, sentence }) =>
    showCondition(isUp, isUp ? "up" : "down", isUp ? "" : `The rack is down: ${sentence}. What you see is from before.`),
  rack(rack) {
    const count = rack.components.length;
    summary.textContent = `${count} component${count === 1 ? "" : "s"}, link ${rack.link}`;
    drawRack(document.getElementById("rack"), rack);
    fillComponents(document.getElementById("components"), rack.components);
    fillRegions(document.getElementById("regions"), rack.regions);
    charts.setComponents(rack.components);
  },
  points: points => charts.add(points),
  vnodes: vnodes => fillVNodes(document.getElementById("vnodes"), vnodes),
  log: entries => log.add(entries),
};

const source = new EventSource("/events");
for (const [kind, handle] of Object.entries(take)) {
  source.addEventListener(kind, event => handle(JSON.parse(event.data)));
}

// A new connection begins with all that is kept.
source.onopen = () => {
  charts.clear();
  log.clear();
};
source.onerror = () => showCondition(false, "no dashboard", "The dashboard has ended; ./lego dashboard starts it again.");
