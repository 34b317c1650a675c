// Buttons that change the rack; there are none without --control.

const token = document.querySelector("meta[name=control-token]").content;

/** Buttons for a component, or null. */
export function actionsOf(component) {
  if (token === "") {
    return null;
  }

  const actions = [...component.kind === "memory" ? ["drain", "undrain"] : [], "freeze", "thaw", "kill"];
  return actions.map(action => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = action;
    button.setAttribute("aria-label", `${action} ${component.name}`);
    button.addEventListener("click", () => act(action, component.name));
    return button;
  });
}

async function act(action, component) {
  if (action === "kill" && !confirm(`Kill the machine of ${component}? A rack without it may fail, and its programs with it.`)) {
    return;
  }

  const answer = document.getElementById("answer");
  answer.textContent = `${action} ${component} …`;
  const address = `/control/${action}/${encodeURIComponent(component)}`;
  const response = await fetch(address, { method: "POST", headers: { "X-Lego-Token": token } });
  answer.textContent = await response.text();
}
