// The ends of all components' logs; follows them while it is scrolled to the end.

const kept = 300;

export class Log {
  #list;

  constructor(list) {
    this.#list = list;
  }

  clear() {
    this.#list.replaceChildren();
  }

  add(entries) {
    const list = this.#list;
    const isAtEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 20;
    list.append(...entries.map(({ component, text }) => {
      const line = document.createElement("li");
      line.textContent = text.startsWith("[") ? text : `${component}: ${text}`;
      line.className = / (error|warning|panic)|^PANIC/i.test(text) ? "bad" : "";
      return line;
    }));
    while (list.childElementCount > kept) {
      list.firstElementChild.remove();
    }

    if (isAtEnd) {
      list.scrollTop = list.scrollHeight;
    }
  }
}
