// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// The published description of the server's interfaces, in OpenAPI 3.1.
public enum OpenAPI {
  /// The whole document.
  public static let text = """
    {"openapi": "3.1.0", "info": \(info), "security": [{}, {"key": []}], "paths": \(paths), "components": {
    "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}}, "responses": \(responses),
    "requestBodies": \(bodies), "schemas": \(schemas)}}
    """

  /// Title, version and description.
  private static let info = #"""
    {
      "title": "packserve",
      "version": "1",
      "description": "OpenAI's and Anthropic's APIs for one pack. Fields that are not described are ignored."
    }
    """#

  /// The operations at each address.
  private static let paths = #"""
    {
      "/v1/chat/completions": {
        "post": {
          "operationId": "createChatCompletion",
          "requestBody": {"$ref": "#/components/requestBodies/Chat"},
          "responses": {
            "200": {"$ref": "#/components/responses/Answer"},
            "default": {"$ref": "#/components/responses/Error"}
          }
        }
      },
      "/chat/completions": {
        "post": {
          "operationId": "createChatCompletionShort",
          "requestBody": {"$ref": "#/components/requestBodies/Chat"},
          "responses": {
            "200": {"$ref": "#/components/responses/Answer"},
            "default": {"$ref": "#/components/responses/Error"}
          }
        }
      },
      "/v1/completions": {
        "post": {
          "operationId": "createCompletion",
          "requestBody": {"$ref": "#/components/requestBodies/Completion"},
          "responses": {
            "200": {"$ref": "#/components/responses/Answer"},
            "default": {"$ref": "#/components/responses/Error"}
          }
        }
      },
      "/completions": {
        "post": {
          "operationId": "createCompletionShort",
          "requestBody": {"$ref": "#/components/requestBodies/Completion"},
          "responses": {
            "200": {"$ref": "#/components/responses/Answer"},
            "default": {"$ref": "#/components/responses/Error"}
          }
        }
      },
      "/v1/embeddings": {
        "post": {
          "operationId": "createEmbedding",
          "requestBody": {"$ref": "#/components/requestBodies/Embedding"},
          "responses": {
            "200": {"$ref": "#/components/responses/Fact"},
            "default": {"$ref": "#/components/responses/Error"}
          }
        }
      },
      "/embeddings": {
        "post": {
          "operationId": "createEmbeddingShort",
          "requestBody": {"$ref": "#/components/requestBodies/Embedding"},
          "responses": {
            "200": {"$ref": "#/components/responses/Fact"},
            "default": {"$ref": "#/components/responses/Error"}
          }
        }
      },
      "/v1/responses": {
        "post": {
          "operationId": "createResponse",
          "requestBody": {"$ref": "#/components/requestBodies/Response"},
          "responses": {
            "200": {"$ref": "#/components/responses/Answer"},
            "default": {"$ref": "#/components/responses/Error"}
          }
        }
      },
      "/v1/messages": {
        "post": {
          "operationId": "createMessage",
          "requestBody": {"$ref": "#/components/requestBodies/Message"},
          "responses": {
            "200": {"$ref": "#/components/responses/Answer"},
            "default": {"$ref": "#/components/responses/Error"}
          }
        }
      },
      "/v1/messages/count_tokens": {
        "post": {
          "operationId": "countTokens",
          "requestBody": {"$ref": "#/components/requestBodies/Count"},
          "responses": {
            "200": {"$ref": "#/components/responses/Answer"},
            "default": {"$ref": "#/components/responses/Error"}
          }
        }
      },
      "/tokenize": {
        "post": {
          "operationId": "tokenize",
          "requestBody": {"$ref": "#/components/requestBodies/Text"},
          "responses": {
            "200": {"$ref": "#/components/responses/Answer"},
            "default": {"$ref": "#/components/responses/Error"}
          }
        }
      },
      "/detokenize": {
        "post": {
          "operationId": "detokenize",
          "requestBody": {"$ref": "#/components/requestBodies/Tokens"},
          "responses": {
            "200": {"$ref": "#/components/responses/Answer"},
            "default": {"$ref": "#/components/responses/Error"}
          }
        }
      },
      "/apply-template": {
        "post": {
          "operationId": "applyTemplate",
          "requestBody": {"$ref": "#/components/requestBodies/Conversation"},
          "responses": {
            "200": {"$ref": "#/components/responses/Answer"},
            "default": {"$ref": "#/components/responses/Error"}
          }
        }
      },
      "/v1/models": {
        "get": {
          "operationId": "listModels",
          "responses": {"200": {"$ref": "#/components/responses/Fact"}, "default": {"$ref": "#/components/responses/Error"}}
        }
      },
      "/models": {
        "get": {
          "operationId": "listModelsShort",
          "responses": {"200": {"$ref": "#/components/responses/Fact"}, "default": {"$ref": "#/components/responses/Error"}}
        }
      },
      "/v1/models/{name}": {
        "get": {
          "operationId": "getModel",
          "parameters": [{"name": "name", "in": "path", "required": true, "schema": {"type": "string", "minLength": 1}}],
          "responses": {"200": {"$ref": "#/components/responses/Fact"}, "default": {"$ref": "#/components/responses/Error"}}
        }
      },
      "/health": {
        "get": {
          "operationId": "health",
          "security": [],
          "responses": {"200": {"$ref": "#/components/responses/Fact"}, "default": {"$ref": "#/components/responses/Error"}}
        }
      },
      "/ready": {
        "get": {
          "operationId": "ready",
          "security": [],
          "responses": {"200": {"$ref": "#/components/responses/Fact"}, "default": {"$ref": "#/components/responses/Error"}}
        }
      },
      "/props": {
        "get": {
          "operationId": "properties",
          "responses": {"200": {"$ref": "#/components/responses/Fact"}, "default": {"$ref": "#/components/responses/Error"}}
        }
      },
      "/slots": {
        "get": {
          "operationId": "slots",
          "responses": {"200": {"$ref": "#/components/responses/Fact"}, "default": {"$ref": "#/components/responses/Error"}}
        }
      },
      "/placement": {
        "get": {
          "operationId": "placement",
          "responses": {"200": {"$ref": "#/components/responses/Fact"}, "default": {"$ref": "#/components/responses/Error"}}
        }
      },
      "/metrics": {
        "get": {
          "operationId": "metrics",
          "responses": {
            "200": {"description": "Counters for Prometheus.", "content": {"text/plain": {"schema": {"type": "string"}}}},
            "default": {"$ref": "#/components/responses/Error"}
          }
        }
      },
      "/openapi.json": {
        "get": {
          "operationId": "description",
          "responses": {"200": {"$ref": "#/components/responses/Fact"}, "default": {"$ref": "#/components/responses/Error"}}
        }
      }
    }
    """#

  /// The responses.
  private static let responses = #"""
    {
      "Answer": {
        "description": "The answer: whole, or as server-sent events if stream is true.",
        "content": {"application/json": {"schema": {"type": "object"}}, "text/event-stream": {}}
      },
      "Fact": {
        "description": "The requested information.",
        "content": {"application/json": {"schema": {"type": ["object", "array"]}}}
      },
      "Error": {
        "description": "What is wrong, with the name of the field if one is at fault.",
        "content": {"application/json": {"schema": {"type": "object"}}}
      }
    }
    """#

  /// The request bodies.
  private static let bodies = #"""
    {
      "Chat": {
        "required": true,
        "content": {
          "application/json": {
            "schema": {
              "allOf": [
                {"$ref": "#/components/schemas/Sampling"}, {"$ref": "#/components/schemas/Conversation"},
                {"$ref": "#/components/schemas/ChatAnswer"}
              ]
            }
          }
        }
      },
      "Conversation": {
        "required": true,
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Conversation"}}}
      },
      "Completion": {
        "required": true,
        "content": {
          "application/json": {
            "schema": {"allOf": [{"$ref": "#/components/schemas/Sampling"}, {"$ref": "#/components/schemas/Completion"}]}
          }
        }
      },
      "Embedding": {"required": true, "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Embedding"}}}},
      "Response": {"required": true, "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Response"}}}},
      "Message": {
        "required": true,
        "content": {
          "application/json": {
            "schema": {
              "allOf": [
                {"$ref": "#/components/schemas/Sampling"}, {"$ref": "#/components/schemas/Message"},
                {"$ref": "#/components/schemas/MessageAnswer"}
              ]
            }
          }
        }
      },
      "Count": {"required": true, "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Message"}}}},
      "Text": {"required": true, "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Text"}}}},
      "Tokens": {
        "required": true,
        "content": {
          "application/json": {
            "schema": {
              "type": "object",
              "properties": {"tokens": {"type": "array", "items": {"type": "integer", "minimum": 0}}},
              "required": ["tokens"]
            }
          }
        }
      }
    }
    """#
}
