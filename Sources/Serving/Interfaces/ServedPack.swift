// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import Generation
import Grammar
import JSON
import Tokenization

/// The model that is served, as requests and answers know it: nothing in it tells where it lies.
public struct ServedPack: Sendable {
  /// What clients call it.
  public var name: String
  /// The digest of the pack.
  public var digest: String
  /// When it was loaded, in seconds since 1970.
  public var created: Int
  /// Its vocabulary.
  public var tokenizer: Tokenizer
  /// How its conversations are written; or why there is no such way.
  public var template: Result<ChatTemplate, ChatTemplateError>
  /// Tokens that its context holds.
  public var contextLength: Int
  /// Numbers of an embedding.
  public var embeddingLength: Int
  /// How embeddings are made; or why none are.
  public var pooling: Result<Pooling, InterfaceError>

  /// A pack that is served.
  public init(
    name: String, digest: String, created: Int, tokenizer: Tokenizer, template: Result<ChatTemplate, ChatTemplateError>,
    contextLength: Int, embeddingLength: Int, pooling: Result<Pooling, InterfaceError>
  ) {
    (self.name, self.digest, self.created, self.tokenizer) = (name, digest, created, tokenizer)
    (self.template, self.contextLength) = (template, contextLength)
    (self.embeddingLength, self.pooling) = (embeddingLength, pooling)
  }

  /// What stands for the weights in OpenAI's answers.
  var fingerprint: JSONValue { .string("pack-\(digest)") }

  /// The model as a list of models has it.
  public var card: JSONValue {
    [
      "id": .string(name), "object": "model", "created": .integer(Int128(created)), "owned_by": "packserve",
      "max_model_len": .integer(Int128(contextLength)), "pack_digest": .string(digest),
      "meta": [
        "n_ctx": .integer(Int128(contextLength)), "n_vocab": .integer(Int128(tokenizer.count)),
        "n_embd": .integer(Int128(embeddingLength)),
      ],
    ]
  }

  /// A conversation in the model's own words.
  func conversation(_ request: ChatRequest) throws(InterfaceError) -> Conversation {
    do throws(ChatTemplateError) { return Conversation(try template.get(), tokenizer, request) } catch { throw .template(error) }
  }
}

extension Conversation {
  /// What the reply to a prompt may be; nil: anything.
  ///
  /// - Throws: What cannot be enforced, by the name of the field that asks for it: nothing of it is ignored.
  func grammar(for prompt: Prompt, content: Grammar?) throws(InterfaceError) -> Grammar? {
    do throws(ChatTemplateError) { return try answerGrammar(for: prompt, content: content) } catch {
      guard case .badRequest(let problem) = error else { throw .template(error) }
      let field = request.toolChoice.forcesCall ? "tool_choice" : content == nil ? "tools" : "response_format"
      throw .unsupported(field: field, problem: problem)
    }
  }
}
