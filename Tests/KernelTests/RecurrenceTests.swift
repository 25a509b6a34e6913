// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import CKernels
import TestSupport
import Testing

@Suite("Recurrences and convolutions")
struct RecurrenceTests {
  /// Returns a key of length at most 1, as models have them; with longer keys the rule overshoots.
  static func key(_ count: Int, _ random: inout SplitMix64) -> [Float] {
    random.floats(count).map { $0 / Float(count).squareRoot() }
  }

  /// Returns what one kind of step leaves after three tokens: the state, then the outputs.
  static func recurrence(_ name: String, keys: Int, values: Int, corrects: Bool, byChannel: Bool) throws -> [Float] {
    let table = try Ops.table(name)
    var random = SplitMix64(seed: UInt64(keys * values))
    var state = random.floats(keys * values)
    var outputs: [Float] = []
    for _ in 0..<3 {
      let (key, query, value) = (Self.key(keys, &random), random.floats(keys), random.floats(values))
      let decays = random.floats(keys, 0...1)
      var output = [Float](repeating: 0, count: values)
      state.withUnsafeMutableBufferPointer { state in
        output.withUnsafeMutableBufferPointer { output in
          key.withUnsafeBufferPointer { key in
            query.withUnsafeBufferPointer { query in
              value.withUnsafeBufferPointer { value in
                decays.withUnsafeBufferPointer { decays in
                  var call = ck_recurrence()
                  (call.state, call.output) = (state.baseAddress, output.baseAddress)
                  (call.key, call.query, call.value) = (key.baseAddress, query.baseAddress, value.baseAddress)
                  (call.key_dim, call.value_dim) = (Int64(keys), Int64(values))
                  call.decays = byChannel ? decays.baseAddress : nil
                  (call.decay, call.beta, call.corrects) = (decays[0], 0.6, corrects ? 1 : 0)
                  table.recur(&call)
                }
              }
            }
          }
        }
      }
      outputs += output
    }
    return state + outputs
  }

  /// Returns the same in double precision, as the papers define it.
  static func truth(keys: Int, values: Int, corrects: Bool, byChannel: Bool) -> [Double] {
    var random = SplitMix64(seed: UInt64(keys * values))
    var state = random.floats(keys * values).map(Double.init)
    var outputs: [Double] = []
    for _ in 0..<3 {
      let (key, query, value) = (Self.key(keys, &random), random.floats(keys), random.floats(values))
      let decays = random.floats(keys, 0...1)
      for i in 0..<keys { for j in 0..<values { state[i * values + j] *= Double(byChannel ? decays[i] : decays[0]) } }
      for j in 0..<values {
        let known = corrects ? (0..<keys).reduce(0) { $0 + Double(key[$1]) * state[$1 * values + j] } : 0
        let update = Double(Float(0.6)) * (Double(value[j]) - known)
        for i in 0..<keys { state[i * values + j] += Double(key[i]) * update }
      }
      for j in 0..<values { outputs.append((0..<keys).reduce(0) { $0 + Double(query[$1]) * state[$1 * values + j] }) }
    }
    return state + outputs
  }

  @Test("A step matches double precision except for rounding, and has the portable table's bits", arguments: Ops.names)
  func recurrences(_ name: String) throws {
    for (keys, values) in [(16, 16), (32, 48), (7, 64), (32, 24), (16, 7), (8, 75), (128, 128)] {
      for (corrects, byChannel) in [(true, false), (true, true), (false, false), (false, true)] {
        let ours = try Self.recurrence(name, keys: keys, values: values, corrects: corrects, byChannel: byChannel)
        let portable = try Self.recurrence("portable", keys: keys, values: values, corrects: corrects, byChannel: byChannel)
        #expect(ours.map(\.bitPattern) == portable.map(\.bitPattern))
        for (x, y) in zip(ours, Self.truth(keys: keys, values: values, corrects: corrects, byChannel: byChannel)) {
          #expect(abs(Double(x) - y) <= 1e-4 * max(1, abs(y)))
        }
      }
    }
  }

  @Test("A convolution weighs each channel's last inputs, and keeps them for the next token", arguments: Ops.names)
  func convolution(_ name: String) throws {
    let (table, portable) = (try Ops.table(name), try Ops.table("portable"))
    let stride = 40
    for (taps, count) in [(4, 37), (3, 16), (2, 5), (1, 17)] {
      var random = SplitMix64(seed: UInt64(taps * count))
      let weights = random.floats(taps * stride), bias = random.floats(count)
      var inputs = [[Float]](repeating: [Float](repeating: 0, count: stride), count: taps - 1)
      var (state, other) = ([Float](repeating: 0, count: taps * stride), [Float](repeating: 0, count: taps * stride))
      for _ in 0..<6 {
        let input = random.floats(stride)
        inputs.append(input)
        var (out, out2) = ([Float](repeating: 42, count: count + 1), [Float](repeating: 42, count: count + 1))
        table.convolve(&state, input, weights, bias, Int64(taps), Int64(stride), Int64(count), &out)
        portable.convolve(&other, input, weights, bias, Int64(taps), Int64(stride), Int64(count), &out2)
        #expect(out.map(\.bitPattern) == out2.map(\.bitPattern) && out[count] == 42)
        let last = inputs.suffix(taps)
        for channel in 0..<count {
          let truth = zip(last, 0..<taps).reduce(Double(bias[channel])) {
            $0 + Double($1.0[channel]) * Double(weights[$1.1 * stride + channel])
          }
          #expect(abs(Double(out[channel]) - truth) <= 1e-5)
        }
      }
    }
  }
}
