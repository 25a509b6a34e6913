// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

// An answer that arrives as a stream.

/** The body of the request for a conversation's next answer. */
function requestBody(conversation, settings) {
  const messages = [];
  if (settings.system) messages.push({ role: "system", content: settings.system });
  for (const message of conversation.messages) {
    if (message.role === "tool") {
      messages.push({ role: "tool", tool_call_id: message.callID, name: message.name, content: message.content });
    } else if (message.role === "user") {
      messages.push({ role: "user", content: message.content });
    } else if (message.content || message.calls?.length) {
      const said = { role: "assistant", content: message.content };
      if (message.reasoning) said.reasoning_content = message.reasoning;
      if (message.calls?.length) {
        said.tool_calls = message.calls.map((call) => ({ id: call.id, type: "function", function: { name: call.name, arguments: call.arguments } }));
      }
      messages.push(said);
    }
  }
  const body = { model: served.name, messages, stream: true, stream_options: { include_usage: true } };
  for (const name of ["temperature", "top_p", "max_tokens", "seed"]) if (settings[name] !== undefined) body[name] = settings[name];
  if (settings.tools) body.tools = settings.tools;
  return body;
}

/** The parts of a stream of server-sent events: {data} or {comment}. */
async function* serverSentEvents(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      text += value;
      const events = text.split("\n\n");
      text = events.pop();
      for (const event of events) {
        for (const line of event.split("\n")) {
          if (line.startsWith("data:")) yield { data: line.slice(5).trim() };
          else if (line.startsWith(":")) yield { comment: line.slice(1).trim() };
        }
      }
    }
  } finally { reader.cancel().catch(() => {}); }
}

/** Fills a message with the server's answer, and calls `changed` after each part. */
async function receiveAnswer(conversation, message, signal, changed) {
  const response = await ask("v1/chat/completions", {
    method: "POST", signal,
    // By this header, balancers send a conversation to the replica that has its beginning cached.
    headers: { "content-type": "application/json", "x-conversation-id": conversation.id },
    body: JSON.stringify(requestBody({ messages: conversation.messages.filter((other) => other !== message) }, store.settings())),
  });
  let isWhole = false;
  for await (const event of serverSentEvents(response)) {
    if (event.comment !== undefined) {
      const progress = /^read (\d+) of (\d+) tokens/.exec(event.comment);
      if (progress) message.progress = { read: Number(progress[1]), all: Number(progress[2]) };
    } else if (event.data === "[DONE]") {
      isWhole = true;
    } else {
      const chunk = JSON.parse(event.data);
      if (chunk.error) throw new ServerProblem(500, chunk.error.message ?? "The server failed.");
      take(chunk, message);
    }
    changed();
  }
  if (!isWhole) throw new ServerProblem(0, "The connection ended in the middle of the answer.");
}

function take(chunk, message) {
  if (chunk.usage) message.usage = chunk.usage;
  if (chunk.timings) message.timings = chunk.timings;
  const choice = chunk.choices?.[0];
  if (!choice) return;
  message.content += choice.delta?.content ?? "";
  const reasoning = choice.delta?.reasoning_content ?? choice.delta?.reasoning;
  if (reasoning) message.reasoning = (message.reasoning ?? "") + reasoning;
  for (const part of choice.delta?.tool_calls ?? []) {
    message.calls ??= [];
    const call = message.calls[part.index] ??= { id: "", name: "", arguments: "" };
    call.id ||= part.id ?? "";
    call.name += part.function?.name ?? "";
    call.arguments += part.function?.arguments ?? "";
  }
  if (choice.finish_reason) message.finish = choice.finish_reason;
}
