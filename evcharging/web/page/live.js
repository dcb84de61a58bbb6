// The live feed: connects, hands messages on, and comes back by itself after a loss.

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 10_000;
const SILENCE_MS = 15_000; // Central says something every 5 s; three times nothing is a dead line

export function follow({ onMessages, onLive, onLost }) {
  let waitMs = FIRST_WAIT_MS;

  function connect() {
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const socket = new WebSocket(`${scheme}://${location.host}/ws?batch=true`);
    let silence = setTimeout(() => socket.close(), SILENCE_MS);
    let ended = false;

    socket.addEventListener("message", (event) => {
      clearTimeout(silence);
      silence = setTimeout(lost, SILENCE_MS);
      const content = JSON.parse(event.data);
      if (content.type === "snapshot") {
        waitMs = FIRST_WAIT_MS;
        onLive();
      }
      onMessages(Array.isArray(content) ? content : [content]);
    });
    socket.addEventListener("close", lost);

    function lost() {
      if (ended) return;
      ended = true;
      clearTimeout(silence);
      socket.close();
      const pauseMs = waitMs * (0.5 + Math.random());
      waitMs = Math.min(waitMs * 2, LONGEST_WAIT_MS);
      onLost(pauseMs);
      setTimeout(connect, pauseMs);
    }
  }

  connect();
}
