// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

extension OpenAPI {
  /// The schemas of requests.
  static let schemas = #"""
    {
      "Sampling": {
        "type": "object",
        "properties": {
          "model": {"type": ["string", "null"], "description": "Any name: there is one model."},
          "temperature": {"type": ["number", "null"], "minimum": 0, "maximum": 100},
          "top_p": {"type": ["number", "null"], "minimum": 0, "maximum": 1},
          "top_k": {"type": ["integer", "null"], "minimum": -1, "maximum": 1073741824},
          "min_p": {"type": ["number", "null"], "minimum": 0, "maximum": 1},
          "presence_penalty": {"type": ["number", "null"], "minimum": -2, "maximum": 2},
          "frequency_penalty": {"type": ["number", "null"], "minimum": -2, "maximum": 2},
          "repetition_penalty": {"type": ["number", "null"], "minimum": 0.01, "maximum": 100},
          "repeat_penalty": {"type": ["number", "null"], "minimum": 0.01, "maximum": 100},
          "repeat_last_n": {"type": ["integer", "null"], "minimum": 0, "maximum": 1048576},
          "seed": {"type": ["integer", "null"], "minimum": -9223372036854775808, "maximum": 9223372036854775807},
          "logit_bias": {
            "type": ["object", "null"],
            "description": "Token ids, as decimal numbers, are the names.",
            "additionalProperties": {"type": "number", "minimum": -100, "maximum": 100}
          },
          "max_tokens": {"$ref": "#/components/schemas/TokenLimit"},
          "max_completion_tokens": {"$ref": "#/components/schemas/TokenLimit"},
          "n_predict": {"$ref": "#/components/schemas/TokenLimit"},
          "stop": {
            "type": ["null", "string", "array"], "minLength": 1, "items": {"type": "string", "minLength": 1}, "maxItems": 16
          },
          "n": {"type": ["integer", "null"], "minimum": 1, "maximum": 16},
          "stream": {"type": ["boolean", "null"]},
          "ignore_eos": {"type": ["boolean", "null"]},
          "stream_options": {"type": ["object", "null"], "properties": {"include_usage": {"type": ["boolean", "null"]}}},
          "grammar": {"type": ["string", "null"], "description": "A grammar in llama.cpp's GBNF."},
          "json_schema": {"type": ["object", "boolean", "null"], "description": "A schema for the whole answer."}
        }
      },
      "Effort": {"enum": [null, "none", "minimal", "low", "medium", "high", "xhigh", "max"]},
      "TokenLimit": {
        "anyOf": [{"type": "null"}, {"const": -1}, {"type": "integer", "minimum": 1, "maximum": 1073741824}],
        "description": "Null or -1: limited only by the context."
      },
      "Part": {
        "anyOf": [
          {
            "type": "object",
            "properties": {"type": {"enum": ["text", "input_text", "output_text"]}, "text": {"type": "string"}},
            "required": ["type", "text"]
          },
          {
            "type": "object",
            "properties": {"type": {"const": "refusal"}, "refusal": {"type": "string"}},
            "required": ["type", "refusal"]
          }
        ]
      },
      "Content": {
        "anyOf": [{"type": "null"}, {"type": "string"}, {"type": "array", "items": {"$ref": "#/components/schemas/Part"}}]
      },
      "Function": {
        "type": "object",
        "properties": {
          "name": {"type": "string", "minLength": 1},
          "description": {"type": ["string", "null"]},
          "parameters": {"type": ["object", "null"]},
          "strict": {"type": ["boolean", "null"]}
        },
        "required": ["name"]
      },
      "ChatMessage": {
        "type": "object",
        "properties": {
          "role": {"enum": ["system", "developer", "user", "assistant", "tool"]},
          "content": {"$ref": "#/components/schemas/Content"},
          "name": {"type": ["string", "null"]},
          "tool_call_id": {"type": ["string", "null"]},
          "reasoning_content": {"type": ["string", "null"]},
          "tool_calls": {
            "type": ["array", "null"],
            "items": {
              "type": "object",
              "properties": {
                "function": {
                  "type": "object",
                  "properties": {
                    "name": {"type": "string"},
                    "arguments": {"type": ["string", "object"], "description": "An object, or the text of one."}
                  },
                  "required": ["name"]
                }
              },
              "required": ["function"]
            }
          }
        },
        "required": ["role"],
        "anyOf": [
          {"properties": {"role": {"const": "assistant"}}},
          {"properties": {"content": {"not": {"type": "null"}}}, "required": ["content"]}
        ]
      },
      "Conversation": {
        "type": "object",
        "properties": {
          "messages": {"type": "array", "minItems": 1, "items": {"$ref": "#/components/schemas/ChatMessage"}},
          "tools": {
            "type": ["array", "null"],
            "items": {
              "type": "object",
              "properties": {"type": {"const": "function"}, "function": {"$ref": "#/components/schemas/Function"}},
              "required": ["function"]
            }
          },
          "tool_choice": {
            "anyOf": [
              {"enum": [null, "none", "auto", "required"]},
              {
                "type": "object",
                "properties": {
                  "type": {"const": "function"},
                  "function": {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
                },
                "required": ["type", "function"]
              }
            ]
          },
          "parallel_tool_calls": {"type": ["boolean", "null"]},
          "chat_template_kwargs": {"type": ["object", "null"]},
          "documents": {"type": ["array", "null"], "items": {"type": "object"}},
          "add_generation_prompt": {"type": ["boolean", "null"]},
          "reasoning_effort": {"$ref": "#/components/schemas/Effort"}
        },
        "required": ["messages"]
      },
      "ChatAnswer": {
        "type": "object",
        "properties": {
          "logprobs": {"type": ["boolean", "null"]},
          "top_logprobs": {"type": ["integer", "null"], "minimum": 0, "maximum": 20},
          "response_format": {
            "anyOf": [
              {"type": "null"},
              {
                "type": "object",
                "properties": {"type": {"enum": ["text", "json_object"]}, "schema": {"type": "object"}},
                "required": ["type"]
              },
              {
                "type": "object",
                "properties": {
                  "type": {"const": "json_schema"},
                  "json_schema": {"type": "object", "properties": {"schema": {"type": "object"}}, "required": ["schema"]}
                },
                "required": ["type", "json_schema"]
              }
            ]
          }
        }
      },
      "Completion": {
        "type": "object",
        "properties": {
          "prompt": {
            "anyOf": [
              {"type": "string"},
              {"type": "array", "items": {"type": "integer", "minimum": 0}, "minItems": 1},
              {
                "type": "array",
                "items": {
                  "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "integer", "minimum": 0}, "minItems": 1}]
                },
                "minItems": 1,
                "maxItems": 64
              }
            ]
          },
          "logprobs": {"type": ["integer", "null"], "minimum": 0, "maximum": 20},
          "echo": {"enum": [null, false]},
          "suffix": {"enum": [null, ""]},
          "best_of": {"type": ["integer", "null"], "minimum": 1, "maximum": 64}
        },
        "required": ["prompt"]
      },
      "Embedding": {
        "type": "object",
        "properties": {
          "model": {"type": ["string", "null"], "description": "Any name: there is one model."},
          "input": {
            "anyOf": [
              {"type": "string", "minLength": 1},
              {"type": "array", "items": {"type": "integer", "minimum": 0}, "minItems": 1},
              {"type": "array", "items": {"type": "string", "minLength": 1}, "minItems": 1, "maxItems": 2048},
              {
                "type": "array",
                "items": {"type": "array", "items": {"type": "integer", "minimum": 0}, "minItems": 1},
                "minItems": 1,
                "maxItems": 2048
              }
            ]
          },
          "encoding_format": {"enum": [null, "float", "base64"]},
          "dimensions": {
            "type": ["integer", "null"],
            "minimum": 1,
            "maximum": 1073741824,
            "description": "Must be the length of the model's embeddings."
          }
        },
        "required": ["input"]
      },
      "Response": {
        "type": "object",
        "properties": {
          "model": {"type": ["string", "null"], "description": "Any name: there is one model."},
          "instructions": {"type": ["string", "null"]},
          "input": {
            "anyOf": [
              {"type": "string"},
              {
                "type": "array",
                "minItems": 1,
                "items": {
                  "anyOf": [
                    {
                      "type": "object",
                      "properties": {
                        "type": {"const": "message"},
                        "role": {"enum": ["system", "developer", "user", "assistant"]},
                        "content": {"$ref": "#/components/schemas/Content"}
                      },
                      "required": ["role", "content"]
                    },
                    {
                      "type": "object",
                      "properties": {
                        "type": {"const": "function_call"},
                        "call_id": {"type": "string"},
                        "name": {"type": "string"},
                        "arguments": {"type": "string"}
                      },
                      "required": ["type", "call_id", "name", "arguments"]
                    },
                    {
                      "type": "object",
                      "properties": {
                        "type": {"const": "function_call_output"},
                        "call_id": {"type": "string"},
                        "output": {"type": "string"}
                      },
                      "required": ["type", "call_id", "output"]
                    },
                    {"type": "object", "properties": {"type": {"const": "reasoning"}}, "required": ["type"]}
                  ]
                }
              }
            ]
          },
          "max_output_tokens": {"$ref": "#/components/schemas/TokenLimit"},
          "temperature": {"type": ["number", "null"], "minimum": 0, "maximum": 100},
          "top_p": {"type": ["number", "null"], "minimum": 0, "maximum": 1},
          "stream": {"type": ["boolean", "null"]},
          "parallel_tool_calls": {"type": ["boolean", "null"]},
          "background": {"enum": [null, false]},
          "truncation": {"enum": [null, "disabled"]},
          "top_logprobs": {"enum": [null, 0]},
          "include": {"type": ["array", "string", "null"], "minLength": 1, "items": {"type": "string", "minLength": 1}, "maxItems": 64},
          "previous_response_id": {"type": "null"},
          "conversation": {"type": "null"},
          "prompt": {"type": "null"},
          "tools": {
            "type": ["array", "null"],
            "items": {
              "allOf": [
                {"$ref": "#/components/schemas/Function"},
                {"type": "object", "properties": {"type": {"const": "function"}}, "required": ["type"]}
              ]
            }
          },
          "tool_choice": {
            "anyOf": [
              {"enum": [null, "none", "auto", "required"]},
              {
                "type": "object",
                "properties": {"type": {"const": "function"}, "name": {"type": "string"}},
                "required": ["type", "name"]
              }
            ]
          },
          "text": {
            "type": ["object", "null"],
            "properties": {
              "format": {
                "anyOf": [
                  {"type": "object", "properties": {"type": {"enum": ["text", "json_object"]}}, "required": ["type"]},
                  {
                    "type": "object",
                    "properties": {
                      "type": {"const": "json_schema"},
                      "name": {"type": "string"},
                      "schema": {"type": "object"}
                    },
                    "required": ["type", "schema"]
                  }
                ]
              }
            }
          },
          "reasoning": {"type": ["object", "null"], "properties": {"effort": {"$ref": "#/components/schemas/Effort"}}}
        },
        "required": ["input"]
      },
      "Message": {
        "type": "object",
        "properties": {
          "system": {"anyOf": [{"type": ["string", "null"]}, {"type": "array", "items": {"$ref": "#/components/schemas/TextBlock"}}]},
          "messages": {
            "type": "array",
            "minItems": 1,
            "items": {
              "type": "object",
              "properties": {
                "role": {"enum": ["user", "assistant"]},
                "content": {
                  "anyOf": [{"type": "string"}, {"type": "array", "items": {"$ref": "#/components/schemas/TextBlock"}}]
                }
              },
              "required": ["role", "content"]
            }
          },
          "tools": {
            "type": ["array", "null"],
            "items": {
              "type": "object",
              "properties": {
                "name": {"type": "string", "minLength": 1},
                "description": {"type": ["string", "null"]},
                "input_schema": {"type": "object"},
                "strict": {"type": ["boolean", "null"]}
              },
              "required": ["name", "input_schema"]
            }
          },
          "tool_choice": {
            "type": ["object", "null"],
            "properties": {
              "type": {"enum": ["auto", "none", "any", "tool"]},
              "name": {"type": ["string", "null"]},
              "disable_parallel_tool_use": {"type": ["boolean", "null"]}
            },
            "required": ["type"]
          },
          "thinking": {
            "type": ["object", "null"],
            "properties": {"type": {"enum": ["enabled", "adaptive", "disabled"]}},
            "required": ["type"]
          }
        },
        "required": ["messages"]
      },
      "MessageAnswer": {
        "type": "object",
        "properties": {
          "max_tokens": {"type": "integer"},
          "stop_sequences": {
            "type": ["array", "string", "null"], "minLength": 1, "items": {"type": "string", "minLength": 1}, "maxItems": 16
          },
          "output_config": {
            "type": ["object", "null"],
            "properties": {
              "effort": {"enum": [null, "low", "medium", "high", "xhigh", "max"]},
              "format": {"$ref": "#/components/schemas/OutputFormat"}
            }
          },
          "output_format": {"$ref": "#/components/schemas/OutputFormat"}
        },
        "required": ["max_tokens"]
      },
      "OutputFormat": {
        "type": ["object", "null"],
        "properties": {"type": {"const": "json_schema"}, "schema": {"type": ["object", "boolean"]}},
        "required": ["type", "schema"]
      },
      "TextBlock": {
        "type": "object",
        "properties": {"type": {"const": "text"}, "text": {"type": "string"}},
        "required": ["type", "text"]
      },
      "Text": {
        "type": "object",
        "properties": {
          "content": {"type": ["string", "null"]},
          "prompt": {"type": ["string", "null"]},
          "add_special": {"type": ["boolean", "null"]},
          "parse_special": {"type": ["boolean", "null"]},
          "with_pieces": {"type": ["boolean", "null"]}
        },
        "anyOf": [
          {"properties": {"content": {"type": "string"}}, "required": ["content"]},
          {"properties": {"prompt": {"type": "string"}}, "required": ["prompt"]}
        ]
      }
    }
    """#
}
