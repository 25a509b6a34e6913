// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import ChatTemplates
import Generation
import JSON

/// Why a request over the network gets no answer, with its HTTP status.
public enum InterfaceError: Error, Sendable, Equatable {
  /// The body is malformed.
  case badBody(String)
  /// A required field is missing.
  case missing(field: String)
  /// A field has a value that cannot be used.
  case bad(field: String, problem: String)
  /// A field asks for something that this server does not support. Nothing that would change an answer is ignored.
  case unsupported(field: String, problem: String)
  /// The body is larger than the server accepts.
  case tooLarge(limit: Int)
  /// There is nothing at this address.
  case notFound
  /// The model asked about is not the one that is served.
  case noSuchModel(String, served: String)
  /// The address does not accept this method.
  case wrongMethod(allowed: String)
  /// The API key is missing or wrong.
  case unauthorized
  /// The model is not ready yet.
  case loading
  /// The scheduler does not accept the request, or the model failed.
  case serving(ServingError)
  /// The messages cannot be turned into a prompt.
  case template(ChatTemplateError)

  /// A field has a number that is not a token of the vocabulary.
  static func notAToken(_ number: some BinaryInteger, field: String, vocabularySize: Int) -> InterfaceError {
    .bad(field: field, problem: "has \(number), which is not a token: the vocabulary has tokens 0 to \(vocabularySize - 1)")
  }

  /// The HTTP status.
  public var status: Int {
    switch self {
    case .badBody, .missing, .bad, .unsupported: 400
    case .tooLarge: 413
    case .notFound, .noSuchModel: 404
    case .wrongMethod: 405
    case .unauthorized: 401
    case .loading: 503
    case .serving(let error):
      switch error {
      case .queueFull: 429
      case .closing: 503
      case .emptyPrompt, .contextFull, .tokenOutOfRange: 400
      case .model: 500
      }
    // The template could be read when the server started, so if it fails, it is because of what the client has sent.
    case .template: 400
    }
  }

  /// What is wrong, in one line.
  public var message: String {
    switch self {
    case .badBody(let problem): "the body of the request cannot be used: \(problem)"
    case .missing(let field): "'\(field)' is missing"
    case .bad(let field, let problem): "'\(field)' \(problem)"
    case .unsupported(let field, let problem): "'\(field)': \(problem)"
    case .tooLarge(let limit): "the body of the request is larger than \(limit) bytes"
    case .notFound: "there is nothing at this address"
    case .noSuchModel(let name, let served):
      "there is no model \(JSONValue.string(name).shortened) here; the only one is \(JSONValue.string(served).shortened)"
    case .wrongMethod(let allowed): "this address accepts \(allowed) only"
    case .unauthorized: "the API key is missing or wrong"
    case .loading: "the model is being loaded"
    case .serving(let error): error.description
    case .template(let error): error.description
    }
  }

  /// The field that is wrong; nil if it is not about one field.
  public var field: String? {
    switch self {
    case .missing(let field), .bad(let field, _), .unsupported(let field, _): field
    case .noSuchModel: "model"
    case .template(.unsupported(_, .tools)): "tools"
    case .template(.unsupported), .template(.refused): "messages"
    default: nil
    }
  }

  /// The kind of error, in a word that clients know.
  public var code: String? {
    switch self {
    case .missing: "missing_required_parameter"
    case .bad: "invalid_value"
    case .unsupported: "unsupported_value"
    case .unauthorized: "invalid_api_key"
    case .noSuchModel: "model_not_found"
    case .loading: "model_loading"
    case .serving(.contextFull): "context_length_exceeded"
    case .serving(.queueFull): "queue_full"
    default: nil
    }
  }

  /// The number of seconds after which to try again; nil if that would not help.
  public var retrySeconds: Int? { status == 429 || status == 503 ? 1 : nil }

  /// The error as OpenAI's clients read it.
  public var openAI: JSONValue {
    let type =
      switch status {
      case 401: "authentication_error"
      case 429: "rate_limit_error"
      case 503: "unavailable_error"
      case 500: "server_error"
      default: "invalid_request_error"
      }
    return [
      "error": [
        "message": .string(message), "type": .string(type), "param": field.map(JSONValue.string) ?? .null,
        "code": code.map(JSONValue.string) ?? .null,
      ]
    ]
  }
}
