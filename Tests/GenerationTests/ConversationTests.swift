// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import ChatTemplates
import GGUF
import JSON
import TestSupport
import Testing

@testable import Generation
@testable import Tokenization

struct ConversationTests {
  /// The tokens that a model's sequence would hold, without a model.
  private struct Sequence {
    var cache = CachedSequence()
    var held: [Int32] = []
    /// The number of tokens computed in all.
    var computed = 0

    mutating func read(_ prompt: [Int32]) {
      var length = held.count
      let rest = cache.rest(of: prompt) {
        length = min(length, $0)
        return length
      }
      held = held.prefix(length) + rest
      computed += rest.count
      cache.note(rest, length: held.count)
    }

    /// The last token of an answer is not computed.
    mutating func write(_ answer: [Int32]) {
      held += answer.dropLast()
      cache.note(answer, length: held.count)
    }
  }

  private static let texts = ["I am well. 12 times!\n\nhello world", "é", "a <b> c\n"]

  @Test(
    "Two turns on top of what is computed already equal the fresh prompt of the whole conversation",
    .enabled(if: Oracles.folder != nil, Oracles.absence), arguments: Oracles.templates)
  func reuse(name: String) throws {
    let (template, tokenizer) = try Oracles.model(name)
    let end = try #require(tokenizer.endOfText)
    for (text, thinks) in Self.texts.flatMap({ [($0, false), ($0, true)] }) {
      var conversation = try Conversation(template, tokenizer, Oracles.request(name))
      conversation.append("user", "hello, who are you?")
      let first = try conversation.prompt()
      var sequence = Sequence()
      sequence.read(first.tokens)
      #expect(sequence.held == first.tokens)
      // Divide the model's tokens as the tokenizer divides its text.
      let marks = template.turnFormat.name == "gpt-oss" ? ("", "") : ("<think>\nWell.\n</think>\n\n", "")
      let output = (thinks ? marks.0 : "") + text
      let answer = tokenizer.encode(output, addSpecial: false, parseSpecial: true) + [end]
      sequence.write(answer)
      var parser = conversation.parser(for: first)
      var turn = Turn()
      for event in parser.append(output.utf8) + parser.finish() { turn.append(event) }
      conversation.append(reply: turn, answer, to: first)
      conversation.append("user", "And now?")
      let second = try conversation.prompt()
      sequence.read(second.tokens)
      #expect(sequence.held == second.tokens)
      let fresh = try Conversation(template, tokenizer, conversation.request).prompt()
      #expect(second.tokens == fresh.tokens, "\(name): \(tokenizer.decode(second.tokens, showsControl: true))")
      // At least the first question is not computed again.
      #expect(sequence.computed < first.tokens.count + second.tokens.count)
    }
  }

  @Test("A reply keeps the model's own tokens if the text is the same, however it was divided")
  func ownTokens() throws {
    var (conversation, tokenizer) = try Self.chatML()
    conversation.append("user", "hello")
    let first = try conversation.prompt()
    // One token per letter, where the tokenizer has one for the whole word.
    let own = "hello".utf8.flatMap { tokenizer.encode(bytes: [$0], addSpecial: false, parseSpecial: false) }
    #expect(tokenizer.encode("hello", addSpecial: false, parseSpecial: false).count == 1)
    var turn = Turn()
    turn.append(.content("hello"))
    conversation.append(reply: turn, own + [try #require(tokenizer.endOfText)], to: first)
    conversation.append("user", "again")
    #expect(try conversation.prompt().tokens.starts(with: first.tokens + own + [tokenizer.endOfText!]))
  }

  @Test("A call stays as the model wrote it if the template would write the same call differently")
  func ownCall() throws {
    var (conversation, tokenizer) = try Self.chatML()
    conversation.append("user", "hello")
    let first = try conversation.prompt()
    let output = "<tool_call>\n{\"name\":\"f\",  \"arguments\": {\"a\":1}}\n</tool_call>"
    let own = tokenizer.encode(output, addSpecial: false, parseSpecial: true)
    let turn = TurnParser.turn(of: output, format: conversation.template.turnFormat)
    #expect(turn.calls.count == 1)
    conversation.append(reply: turn, own + [try #require(tokenizer.endOfText)], to: first)
    conversation.append("user", "again")
    let second = try conversation.prompt()
    #expect(second.tokens.starts(with: first.tokens + own))
    #expect(second.tokens != second.plain)
  }

  @Test("Earlier thinking that the template leaves out is computed without it from there on")
  func droppedThinking() throws {
    var (conversation, tokenizer) = try Self.chatML()
    conversation.append("user", "hello")
    let first = try conversation.prompt()
    let output = "<think>\nwell\n</think>\n\nhello"
    let turn = TurnParser.turn(of: output, format: conversation.template.turnFormat)
    #expect(turn.reasoning == "well" && turn.content == "hello")
    conversation.append(reply: turn, tokenizer.encode(output, addSpecial: false, parseSpecial: true), to: first)
    conversation.append("user", "again")
    let second = try conversation.prompt()
    #expect(second.tokens == second.plain)
    #expect(!tokenizer.decode(second.tokens, showsControl: true).contains("well"))
  }

  /// Returns Qwen's template, with calls written by `tojson` and earlier thinking left out.
  private static func chatML() throws -> (Conversation, Tokenizer) {
    let source = """
      {% for m in messages %}<|im_start|>{{ m.role }}
      {% if m.tool_calls %}{% for c in m.tool_calls %}<tool_call>
      {{ {'name': c.function.name, 'arguments': c.function.arguments} | tojson }}
      </tool_call>{% endfor %}{% else %}{{ m.content.split('</think>')[-1] }}{% endif %}<|im_end|>
      {% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
      {% endif %}
      """
    let marks = ["<|im_start|>", "<|im_end|>"]
    let tokenizer = try Tokenizer(metadata: SmallVocabulary.byteLevel(control: marks, begin: 0, end: 1))
    return (Conversation(try ChatTemplate(source: source), tokenizer), tokenizer)
  }

  @Test("The earliest turns can be dropped up to the user's last one, but never the system turn")
  func dropping() throws {
    var (conversation, _) = try Self.chatML()
    conversation.setSystem("Be kind.")
    for text in ["a", "b", "c"] {
      conversation.append("user", text)
      conversation.append("assistant", text.uppercased())
    }
    conversation.append("user", "d")
    #expect(conversation.dropEarliest() == 2)
    #expect(conversation.request.messages.compactMap { $0["content"]?.string } == ["Be kind.", "b", "B", "c", "C", "d"])
    #expect(conversation.dropEarliest() == 2 && conversation.dropEarliest() == 2 && conversation.dropEarliest() == 0)
    conversation.setSystem("")
    #expect(conversation.request.messages.compactMap { $0["content"]?.string } == ["d"])
  }
}

struct PromptEncodingTests {
  @Test(
    "A message's content never becomes a special token, in any template", .enabled(if: Oracles.folder != nil, Oracles.absence),
    arguments: Oracles.templates)
  func injection(name: String) throws {
    let (template, tokenizer) = try Oracles.model(name)
    let special = tokenizer.controlTokens { _ in true }
    let marks = special.map(tokenizer.text).joined()
    func count(_ content: String) throws -> Int {
      var conversation = try Conversation(template, tokenizer, Oracles.request(name))
      conversation.append("user", content)
      return try conversation.prompt().tokens.count { special.contains($0) }
    }
    #expect(try count("x") == count("x" + marks + "x"))
  }

  @Test(
    "If a message does not contain the text of a special token, the tokens are those of the whole text",
    .enabled(if: Oracles.folder != nil, Oracles.absence), arguments: Oracles.templates)
  func wholeText(name: String) throws {
    let (template, tokenizer) = try Oracles.model(name)
    var conversation = try Conversation(template, tokenizer, Oracles.request(name))
    conversation.append("user", "hello world\n\n  12345 é 日本")
    let prompt = try conversation.prompt()
    let text = try template.render(conversation.request).map(\.text).joined()
    var whole = tokenizer.encode(text, addSpecial: false, parseSpecial: true)
    if let begin = tokenizer.beginOfText, whole.starts(with: [begin, begin]) { whole.removeFirst() }
    #expect(prompt.tokens == whole)
  }

  @Test("A user-defined token that the template writes is not a token within a message; one that it does not write is")
  func userDefined() throws {
    let metadata = SmallVocabulary.sentencePiece()
    let tokenizer = try Tokenizer(metadata: metadata)
    let bold = try #require(tokenizer.encode("<b>", addSpecial: false, parseSpecial: true).first)
    func count(_ source: String) throws -> Int {
      var conversation = Conversation(try ChatTemplate(source: source), tokenizer)
      conversation.append("user", "a<b>c")
      return try conversation.prompt().tokens.count { $0 == bold }
    }
    #expect(try count("{{ messages[0].content }}") == 1)
    #expect(try count("<b>{{ messages[0].content }}") == 1)
    #expect(try count("<b>{{ messages[0].content }}<b>") == 2)
  }

  @Test(
    "The begin-of-text token occurs once, whether the template or the tokenizer adds it", arguments: [true, false, nil],
    [true, false])
  func beginOfTextOnce(adds: Bool?, writes: Bool) throws {
    var metadata = SmallVocabulary.sentencePiece()
    metadata["tokenizer.chat_template"] = .text((writes ? "{{ bos_token }}" : "") + "{{ messages[0].content }}")
    metadata["tokenizer.ggml.add_bos_token"] = adds.map { .bool($0) }
    let tokenizer = try Tokenizer(metadata: metadata)
    var conversation = Conversation(try ChatTemplate(nil, metadata: metadata, tokenizer: tokenizer), tokenizer)
    conversation.append("user", "hello <s>")
    let tokens = try conversation.prompt().tokens
    // SentencePiece vocabularies add it unless the file says otherwise.
    #expect(tokens.count { $0 == tokenizer.beginOfText } == (writes || adds != false ? 1 : 0))
  }

  @Test("A template longer than any real one is refused, and so is a request with unknown members")
  func refused() throws {
    let long = #expect(throws: ChatTemplateError.self) {
      try ChatTemplate(source: "<|im_start|>" + String(repeating: "{{ a }}", count: 500_000))
    }
    #expect(
      long?.description == "the chat template fails: template line 1, column 1: the template has more than 1048576 characters")
    for (json, problem): (JSONValue, String) in [
      ([], "not an object"), ([:], "no \"messages\""), (["messages": 1], "\"messages\" is not an array"),
      (["messages": [], "temperature": 1], "\"temperature\" is not supported"),
      (["messages": [], "tools": 1], "\"tools\" is not an array"),
      (["messages": [], "chat_template_kwargs": ["messages": []]], "may not set \"messages\""),
    ] {
      let error = #expect(throws: ChatTemplateError.self) { try ChatRequest(json) }
      #expect(error?.description.contains(problem) == true, "\(String(describing: error))")
    }
    let refusal = try ChatTemplate(source: "{{ raise_exception('no ' ~ messages | length) }}")
    #expect(throws: ChatTemplateError.refused("no 0")) { try refusal.render(ChatRequest(messages: [])) }
  }

  @Test("The template for tools applies if there are tools")
  func toolTemplate() throws {
    var metadata = SmallVocabulary.sentencePiece()
    metadata["tokenizer.chat_template"] = .text("plain")
    metadata["tokenizer.chat_template.tool_use"] = .text("tools {{ tools | length }} {{ enable_thinking }}")
    let template = try ChatTemplate(nil, metadata: metadata, tokenizer: Tokenizer(metadata: metadata))
    func text(_ request: ChatRequest) throws -> String { try template.render(request).map(\.text).joined() }
    #expect(try text(ChatRequest(messages: [])) == "plain")
    #expect(try text(ChatRequest(messages: [], tools: [[:], [:]], variables: ["enable_thinking": true])) == "tools 2 True")
  }
}
