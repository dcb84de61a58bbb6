// Tables whose rows are kept and only touched where something changed. Everything is set as text, never as markup.

const ROLES = { table: "table", row: "row", cell: "cell" }; // said aloud because phones show rows as blocks

export class Rows {
  // columns: [{ label, cls?, fill(cell, item) }]; fill is called with a cell object that has text() and the element
  constructor(table, columns) {
    this.table = table;
    this.body = table.tBodies[0];
    this.columns = columns;
    this.rows = new Map();
    table.setAttribute("role", ROLES.table);
  }

  show(items, keyOf) {
    const wanted = new Set();
    let previous = null;
    for (const item of items) {
      const key = keyOf(item);
      wanted.add(key);
      const row = this.rows.get(key) ?? this.#add(key);
      for (const [index, column] of this.columns.entries()) column.fill(row.cells[index], item);
      const place = previous === null ? this.body.firstChild : previous.nextSibling;
      if (place !== row) this.body.insertBefore(row, place);
      previous = row;
    }
    for (const [key, row] of this.rows) {
      if (wanted.has(key)) continue;
      row.remove();
      this.rows.delete(key);
    }
    this.table.hidden = items.length === 0;
  }

  #add(key) {
    const row = document.createElement("tr");
    row.setAttribute("role", ROLES.row);
    row.dataset.key = key;
    for (const column of this.columns) {
      const cell = row.insertCell();
      cell.setAttribute("role", ROLES.cell);
      cell.dataset.label = column.label;
      if (column.cls) cell.className = column.cls;
      column.make?.(cell, key);
    }
    this.rows.set(key, row);
    return row;
  }
}

export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export function textColumn(label, textOf, cls) {
  return {
    label,
    cls,
    fill(cell, item) {
      const text = textOf(item);
      setText(cell, text);
      cell.classList.toggle("blank", text === "");
    },
  };
}

export function badgeColumn(label, stateOf, textOf, noteOf) {
  return {
    label,
    make(cell) {
      const box = document.createElement("span");
      const badge = document.createElement("span");
      const note = document.createElement("span");
      badge.className = "badge";
      note.className = "note";
      box.append(badge, note);
      cell.append(box);
    },
    fill(cell, item) {
      const [badge, note] = cell.firstChild.children;
      const state = stateOf(item);
      if (badge.dataset.state !== state) badge.dataset.state = state;
      setText(badge, textOf(item));
      const text = noteOf?.(item) ?? "";
      setText(note, text);
      note.title = text;
      note.hidden = text === "";
    },
  };
}

export function button(text, { cls = "", label, onClick }) {
  const element = document.createElement("button");
  element.type = "button";
  element.className = cls;
  element.textContent = text;
  if (label) element.setAttribute("aria-label", label);
  element.addEventListener("click", () => onClick(element));
  return element;
}
