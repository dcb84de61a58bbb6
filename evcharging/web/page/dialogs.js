// Questions to the operator: each opens a dialog and resolves to the answer, or to null when it is dismissed.

export function askStart(cpId) {
  document.getElementById("start-title").textContent = `Start a session at ${cpId}`;
  return ask("start-dialog", (form) => ({
    driver_id: form.get("driver_id").trim(),
    kwh: form.get("kwh") === "" ? null : Number(form.get("kwh")),
  }));
}

export function askToken() {
  return ask("token-dialog", (form) => form.get("token"));
}

export function confirmed(title, text) {
  document.getElementById("confirm-title").textContent = title;
  document.getElementById("confirm-text").textContent = text;
  return ask("confirm-dialog", () => true);
}

function ask(id, answerOf) {
  const dialog = document.getElementById(id);
  const form = dialog.querySelector("form");
  const ended = new AbortController();
  return new Promise((resolve) => {
    let answer = null;
    form.addEventListener(
      "submit",
      (event) => {
        event.preventDefault();
        answer = answerOf(new FormData(form));
        dialog.close();
      },
      { signal: ended.signal },
    );
    form.querySelector('[value="cancel"]').addEventListener("click", () => dialog.close(), { signal: ended.signal });
    dialog.addEventListener(
      "close",
      () => {
        ended.abort();
        form.reset();
        resolve(answer);
      },
      { signal: ended.signal },
    );
    dialog.showModal();
  });
}
