// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

/// Schemas of increasing difficulty.
package enum SchemaSamples {
  package static let all: [String] = [
    ##"{}"##, ##"true"##, ##"{"type": "null"}"##, ##"{"type": "boolean"}"##, ##"{"type": "string"}"##, ##"{"type": "integer"}"##,
    ##"{"type": "number"}"##, ##"{"type": "array"}"##, ##"{"type": "object"}"##, ##"{"type": ["string", "null"]}"##,
    ##"{"type": ["integer", "array", "boolean"], "items": {"type": "null"}, "minimum": 3}"##,
    ##"{"const": {"a": [1, 2.5, null, "é\n\"🙂"]}}"##, ##"{"enum": ["red", "green", 1, 1.5, null, true, [], {}]}"##,
    ##"{"type": "string", "enum": ["a", 1, "ab", "abc"]}"##,
    ##"{"type": "integer", "minimum": 0, "maximum": 255}"##, ##"{"type": "integer", "minimum": -17, "maximum": 1234}"##,
    ##"{"type": "integer", "exclusiveMinimum": 9, "exclusiveMaximum": 11}"##, ##"{"type": "integer", "minimum": 1000}"##,
    ##"{"type": "integer", "maximum": -5}"##, ##"{"type": "integer", "minimum": 0.5, "maximum": 3.5}"##,
    ##"{"type": "number", "minimum": 0, "maximum": 1}"##, ##"{"type": "number", "minimum": -0.25, "maximum": 12.75}"##,
    ##"{"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}"##, ##"{"type": "number", "exclusiveMinimum": 99.5}"##,
    ##"{"type": "number", "minimum": 0.001, "maximum": 0.002}"##, ##"{"type": "number", "maximum": -1e2}"##,
    ##"{"type": "string", "minLength": 3}"##, ##"{"type": "string", "maxLength": 5}"##,
    ##"{"type": "string", "minLength": 2, "maxLength": 2}"##,
    ##"{"type": "string", "pattern": "^[a-z]{2,4}-[0-9]+$"}"##, ##"{"type": "string", "pattern": "ab"}"##,
    ##"{"type": "string", "pattern": "^(foo|ba[rz])*$"}"##, ##"{"type": "string", "pattern": "^\\d{3}(-\\d{4})?$|^x"}"##,
    ##"{"type": "string", "pattern": "^[^\"\\\\\\s]+\\.(com|org)$"}"##, ##"{"type": "string", "pattern": "^[äöü€🙂-🙄]+.$"}"##,
    ##"{"type": "string", "pattern": "^\\W\\S\\D[\\w-]*?$"}"##, ##"{"type": "string", "format": "date"}"##,
    ##"{"type": "string", "format": "date-time"}"##, ##"{"type": "string", "format": "uuid"}"##,
    ##"{"type": "string", "format": "ipv4"}"##,
    ##"{"type": "array", "items": {"type": "integer"}, "minItems": 2, "maxItems": 4}"##,
    ##"{"type": "array", "items": {"type": "string"}, "maxItems": 0}"##, ##"{"type": "array", "minItems": 3}"##,
    ##"{"type": "array", "prefixItems": [{"type": "string"}, {"type": "number"}]}"##,
    ##"{"type": "array", "prefixItems": [{"const": 1}, {"const": 2}], "items": {"const": 3}, "minItems": 1, "maxItems": 5}"##,
    ##"{"type": "array", "prefixItems": [true, {"type": "null"}], "items": false, "minItems": 2}"##,
    ##"{"type": "array", "items": {"type": "array", "items": {"type": "array", "items": {"enum": [0, 1]}, "minItems": 1}}}"##,
    ##"{"type": "object", "properties": {"name": {"type": "string"}, "age": {"type": "integer", "minimum": 0}}, "required": ["name"]}"##,
    ##"{"type": "object", "properties": {"a": {"type": "null"}, "b": {"type": "null"}, "c": {"type": "null"}}}"##,
    ##"{"type": "object", "properties": {"a": {"const": 1}, "b": {"const": 2}}, "required": ["b", "a"], "additionalProperties": false}"##,
    ##"{"type": "object", "additionalProperties": {"type": "integer"}}"##,
    ##"{"type": "object", "properties": {"id": {"type": "string"}, "ids": {"type": "null"}}, "additionalProperties": {"type": "boolean"}}"##,
    ##"{"type": "object", "properties": {"é\"\\": {"const": 1}, "": {"const": 2}}, "required": ["", "é\"\\"], "additionalProperties": true}"##,
    ##"{"type": "object", "additionalProperties": {"type": "null"}, "maxProperties": 2}"##,
    ##"{"type": "object", "additionalProperties": {"type": "null"}, "minProperties": 1}"##,
    ##"{"required": ["x", "y"], "type": "object"}"##, ##"{"properties": {"x": {"type": "integer"}}}"##,
    ##"{"anyOf": [{"type": "string", "maxLength": 3}, {"type": "integer"}, {"type": "array", "items": {"type": "boolean"}}]}"##,
    ##"{"oneOf": [{"type": "string"}, {"type": "number"}]}"##,
    ##"{"oneOf": [{"type": "object", "properties": {"kind": {"const": "circle"}, "r": {"type": "number"}}, "required": ["kind", "r"]}, "##
      + ##"{"type": "object", "properties": {"kind": {"const": "square"}, "a": {"type": "number"}}, "required": ["kind", "a"]}]}"##,
    ##"{"allOf": [{"type": "object", "properties": {"a": {"type": "integer", "minimum": 1}}, "required": ["a"]}, "##
      + ##"{"properties": {"b": {"type": "string"}, "a": {"maximum": 9}}, "required": ["b"]}]}"##,
    ##"{"$defs": {"node": {"type": "object", "properties": {"value": {"type": "integer"}, "next": {"anyOf": [{"type": "null"}, "##
      + ##"{"$ref": "#/$defs/node"}]}}, "required": ["value", "next"]}}, "$ref": "#/$defs/node"}"##,
    ##"{"type": "object", "properties": {"children": {"type": "array", "items": {"$ref": "#"}}, "name": {"type": "string"}}, "required": ["children"]}"##,
    ##"{"definitions": {"a/b~c": {"type": "boolean"}}, "type": "array", "items": {"$ref": "#/definitions/a~1b~0c"}}"##,
    ##"{"$defs": {"expr": {"anyOf": [{"type": "number"}, {"type": "object", "properties": {"op": {"enum": ["+", "*"]}, "left": "##
      + ##"{"$ref": "#/$defs/expr"}, "right": {"$ref": "#/$defs/expr"}}, "required": ["op", "left", "right"], "additionalProperties": false}]}}, "##
      + ##""$ref": "#/$defs/expr"}"##,
    ##"{"$defs": {"even": {"anyOf": [{"type": "null"}, {"type": "array", "prefixItems": [{"$ref": "#/$defs/odd"}], "minItems": 1}]}, "##
      + ##""odd": {"type": "array", "prefixItems": [{"$ref": "#/$defs/even"}], "minItems": 1}}, "$ref": "#/$defs/even"}"##,
    ##"{"type": "object", "title": "Order", "description": "x", "properties": {"items": {"type": "array", "minItems": 1, "items": {"type": "object", "##
      + ##""properties": {"sku": {"type": "string", "pattern": "^[A-Z]{3}\\d{4}$"}, "count": {"type": "integer", "minimum": 1, "maximum": 99}, "##
      + ##""price": {"type": "number", "minimum": 0.01, "maximum": 9999.99}}, "required": ["sku", "count"], "additionalProperties": false}}, "##
      + ##""note": {"type": ["string", "null"], "maxLength": 10}}, "required": ["items"], "additionalProperties": false}"##,
  ]

  /// Schemas that are refused, each with the keyword that the error names.
  package static let refused: [(schema: String, keyword: String)] = [
    (##"{"not": {"type": "null"}}"##, "not"), (##"{"if": {}, "then": {}}"##, "if"),
    (##"{"type": "array", "uniqueItems": true}"##, "uniqueItems"),
    (##"{"type": "array", "contains": {}}"##, "contains"), (##"{"type": "integer", "multipleOf": 3}"##, "multipleOf"),
    (##"{"type": "object", "patternProperties": {"^a": {}}}"##, "patternProperties"),
    (##"{"dependentRequired": {}}"##, "dependentRequired"),
    (##"{"type": "object", "propertyNames": {}}"##, "propertyNames"), (##"{"type": "string", "format": "email"}"##, "format"),
    (##"{"type": "string", "pattern": "(?=a)b"}"##, "pattern"), (##"{"type": "string", "pattern": "(a)\\1"}"##, "pattern"),
    (##"{"type": "string", "pattern": "\\bx"}"##, "pattern"), (##"{"type": "string", "pattern": "a", "minLength": 3}"##, "pattern"),
    (##"{"$ref": "https://example.com/x"}"##, "$ref"), (##"{"$ref": "#/$defs/a", "$defs": {"a": {}}, "type": "string"}"##, "type"),
    (##"{"oneOf": [{"type": "integer"}, {"type": "number"}]}"##, "oneOf"), (##"{"enum": [1], "minimum": 0}"##, "minimum"),
    (##"{"type": "object", "properties": {"a": {"nullable": true}}}"##, "nullable"), (##"{"items": [{}]}"##, "items"),
    (##"{"type": "object", "minProperties": 3}"##, "minProperties"), (##"{"madeUp": 1}"##, "madeUp"),
    (##"{"anyOf": [{}], "properties": {}}"##, "properties"), (##"{"$dynamicRef": "#a"}"##, "$dynamicRef"),
    (##"{"type": "number", "minimum": 1e300}"##, "minimum"), (##"{"unevaluatedItems": false}"##, "unevaluatedItems"),
    // Keywords beside a reference, however it is reached.
    (##"{"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b", "maxLength": 3}, "b": {"type": "string"}}}"##, "maxLength"),
    (##"{"allOf": [{"$ref": "#/$defs/a", "maxLength": 3}], "$defs": {"a": {"type": "string"}}}"##, "maxLength"),
    // The parts of an allOf.
    (##"{"allOf": [{"not": {"type": "null"}}, {"type": "string"}]}"##, "not"), (##"{"allOf": [{"allOf": [{"if": {}}]}]}"##, "if"),
    (##"{"allOf": [{"properties": {"a": {}}, "required": ["a"]}], "additionalProperties": false}"##, "additionalProperties"),
    (##"{"type": "integer", "format": "int32"}"##, "format"), (##"{"type": ["null", "number"], "format": "double"}"##, "format"),
    (##"{"type": "string", "format": 5}"##, "format"), (##"{"type": "array", "minItems": 20000}"##, "minItems"),
  ]
}
