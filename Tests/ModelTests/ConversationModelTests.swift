// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import ChatTemplates
import Testing

@testable import Generation
@testable import Inference
@testable import Tokenization

@Suite("Conversations with a model", .enabled(if: Oracles.folder != nil, Oracles.absence))
struct ConversationModelTests {
  @Test(
    "The logits after two turns are those of the whole conversation computed at once, whether the template keeps or rewrites turns",
    arguments: ["{{ m.content }}", "{{ m.content | upper }}"])
  func reuse(content: String) throws {
    let packed = try PackedModel(Oracles.tinyFile("qwen3.Q4_K_M.gguf").path)
    let tokenizer = try Tokenizer(metadata: packed.pack.metadata)
    var options = ModelOptions()
    options.contextLength = 512
    let model = try packed.model(options: options)
    let source =
      "{% for m in messages %}<{{ m.role }}>" + content + "\n{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}"
    var conversation = Conversation(try ChatTemplate(source: source), tokenizer)
    var cache = CachedSequence()
    var generator = Generator(model, tokenizer)
    generator.maximumTokens = 9
    generator.ignoresEnd = true
    var sampler = Sampler(.greedy, vocabularySize: model.vocabularySize)
    var kept = 0
    for question in ["hello", "and then?", "why?"] {
      conversation.append("user", question)
      let prompt = try conversation.prompt()
      let rest = cache.rest(of: prompt.tokens, in: model)
      kept += prompt.tokens.count - rest.count
      #expect(cache.tokens + rest == prompt.tokens)
      var logits: [Float] = []
      model.truncate(0, to: prompt.tokens.count - rest.count)
      try model.append(rest) { logits = Array($1) }
      model.truncate(0, to: 0)
      var fresh: [Float] = []
      try model.append(prompt.tokens) { fresh = Array($1) }
      #expect(logits == fresh)
      model.truncate(0, to: prompt.tokens.count - rest.count)
      var text = ""
      let result = try generator.run(prompt: rest, sampler: &sampler, isInterrupted: { false }) { text += $1 }
      cache.note(rest + result.tokens, in: model)
      #expect(cache.tokens.count == model.length(of: 0))
      conversation.append(
        reply: TurnParser.turn(of: text, format: conversation.template.turnFormat), result.tokens, to: prompt)
    }
    #expect(kept > 10)
  }
}
