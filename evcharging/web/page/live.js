// The live feed: connects, hands messages on, and comes back by itself after a loss.

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 10_000;
const SILENCE_MS = 15_000; // Central says something every 5 s; three times nothing is a dead line

// Follows everything, or one station alone; what is returned ends it.
export function follow({ onMessages, onLive = () => {}, onLost = () => {}, query = "batch=true" }) {
  let waitMs = FIRST_WAIT_MS;
  let current = null;
  let again = 0;
  let wanted = true;

  function connect() {
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const socket = new WebSocket(`${scheme}://${location.host}/ws?${query}`);
    current = socket;
    let silence = setTimeout(() => socket.close(), SILENCE_MS);
    let ended = false;

    socket.addEventListener("message", (event) => {
      if (!wanted) return;
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
      if (!wanted) return;
      const pauseMs = waitMs * (0.5 + Math.random());
      waitMs = Math.min(waitMs * 2, LONGEST_WAIT_MS);
      onLost(pauseMs);
      again = setTimeout(connect, pauseMs);
    }
  }

  connect();
  return () => {
    wanted = false;
    clearTimeout(again);
    current.close();
  };
}
