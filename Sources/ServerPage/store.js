// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

// What the browser stores: the settings, and each conversation under a key of its own, so that two tabs do not overwrite each other's
// conversations. A conversation is {id, title, changed, messages}. A message is {role, content}; an answer also has {reasoning, calls,
// usage, timings, finish, problem}, a tool's result {callID, name}.

const conversationPrefix = "packserve.conversation.";

const store = {
  /** The value stored under a name; undefined if there is none or it cannot be parsed. */
  read(name) {
    try { return JSON.parse(localStorage.getItem(name) ?? "null") ?? undefined; } catch { return undefined; }
  },
  /** Stores a value, and tells the user if the browser has no room. */
  write(name, value) {
    try {
      localStorage.setItem(name, JSON.stringify(value));
      return true;
    } catch {
      showBanner("storage", "The browser has no room for more conversations: this one will be lost. Remove some.");
      return false;
    }
  },
  remove(name) { try { localStorage.removeItem(name); } catch { /* It kept nothing. */ } },

  /** All conversations, the most recently changed first. */
  conversations() {
    const found = [];
    try {
      for (let index = 0; index < localStorage.length; index += 1) {
        const name = localStorage.key(index);
        if (!name.startsWith(conversationPrefix)) continue;
        const conversation = this.read(name);
        if (Array.isArray(conversation?.messages) && conversation.id) found.push(conversation);
      }
    } catch { /* The browser keeps nothing for this page. */ }
    return found.sort((one, other) => other.changed - one.changed);
  },
  save(conversation) { return this.write(conversationPrefix + conversation.id, conversation); },
  forget(conversation) { this.remove(conversationPrefix + conversation.id); },

  settings() { return this.read("packserve.settings") ?? {}; },
  key() { try { return sessionStorage.getItem("packserve.key") ?? ""; } catch { return ""; } },
  setKey(key) { try { sessionStorage.setItem("packserve.key", key); } catch { /* Asked for again next time. */ } },
};

/** An error that the server answered, in its own words. */
class ServerProblem extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/** Sends a request to the server. Throws a ServerProblem if the answer is not a success. */
async function ask(path, options = {}) {
  const headers = new Headers(options.headers);
  if (store.key()) headers.set("authorization", `Bearer ${store.key()}`);
  let response;
  try { response = await fetch(path, { ...options, headers, cache: "no-store" }); } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ServerProblem(0, "The server does not answer.");
  }
  if (response.ok) return response;
  let message = `The server answered with status ${response.status}.`;
  let document;
  try { document = await response.json(); } catch { /* Not one of our answers: the status says what there is to say. */ }
  if (document?.error?.message) message = document.error.message;
  const problem = new ServerProblem(response.status, message);
  problem.document = document;
  throw problem;
}

const banners = new Map();

/** Shows a line above everything; an empty one removes it. */
function showBanner(kind, ...content) {
  if (content.length > 0 && content[0]) banners.set(kind, content);
  else banners.delete(kind);
  const banner = document.getElementById("banner");
  banner.hidden = banners.size === 0;
  banner.replaceChildren(...[...banners.values()].map((content) => make("div", {}, content)));
}
