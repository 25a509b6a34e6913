// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import ChatTemplates
import Generation
import Grammar
import JSON
import Tokenization

/// The model that is served, as requests and answers know it. It does not reveal where the pack is stored.
public struct ServedPack: Sendable {
  /// The name that clients use for it.
  public var name: String
  /// The digest of the pack.
  public var digest: String
  /// When it was loaded, in seconds since 1970.
  public var created: Int
  /// The model's vocabulary.
  public var tokenizer: Tokenizer
  /// The template of its conversations, or why there is none.
  public var template: Result<ChatTemplate, ChatTemplateError>
  /// Returns the date for templates that ask for the present.
  public var date: @Sendable () -> TemplateDate?
  /// The largest number of tokens in its context.
  public var contextLength: Int
  /// The number of elements in an embedding.
  public var embeddingLength: Int
  /// How hidden states are pooled to embeddings, or why they are not.
  public var pooling: Result<Pooling, InterfaceError>

  /// Makes the description of a served pack.
  public init(
    name: String, digest: String, created: Int, tokenizer: Tokenizer, template: Result<ChatTemplate, ChatTemplateError>,
    date: @escaping @Sendable () -> TemplateDate?, contextLength: Int, embeddingLength: Int,
    pooling: Result<Pooling, InterfaceError>
  ) {
    (self.name, self.digest, self.created, self.tokenizer) = (name, digest, created, tokenizer)
    (self.template, self.date, self.contextLength) = (template, date, contextLength)
    (self.embeddingLength, self.pooling) = (embeddingLength, pooling)
  }

  /// What identifies the weights in OpenAI's answers.
  var fingerprint: JSONValue { .string("pack-\(digest)") }

  /// The model as an entry in the list of models.
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

  /// Returns a conversation with the model's template, which sees the present date.
  func conversation(_ request: ChatRequest) throws(InterfaceError) -> Conversation {
    do throws(ChatTemplateError) {
      var template = try template.get()
      template.date = date()
      return Conversation(template, tokenizer, request)
    } catch { throw .template(error) }
  }
}

extension Conversation {
  /// Returns the grammar of the reply to a prompt; nil: any reply.
  ///
  /// - Throws: `InterfaceError`, which names the field that cannot be enforced.
  func grammar(for prompt: Prompt, content: Grammar?) throws(InterfaceError) -> Grammar? {
    do throws(ChatTemplateError) { return try answerGrammar(for: prompt, content: content) } catch {
      guard case .badRequest(let problem) = error else { throw .template(error) }
      let field = request.toolChoice.forcesCall ? "tool_choice" : content == nil ? "tools" : "response_format"
      throw .unsupported(field: field, problem: problem)
    }
  }
}
