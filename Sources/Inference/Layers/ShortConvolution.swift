// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

import PackRuntime

/// A gated short convolution (LFM 2).
///
/// The residual is projected to three vectors. The product of the first and the third goes through a causal convolution of a few
/// tokens; its output is multiplied by the second and projected back.
struct ShortConvolution: MixerPart {
  let sizes: Configuration
  let input: Matrix
  /// The weights of the convolution, [tap][channel].
  let weights: Vector
  let output: Matrix
  /// The form in which a thread publishes some channels.
  let outputForm: ActivationForm

  /// The sizes of a short convolution, from the metadata.
  struct Configuration: Sendable, Equatable {
    let channelCount: Int
    /// The number of tokens that the convolution sees, the token's own included.
    let taps: Int

    /// The number of channels that one thread handles at a time.
    static let blockLength = 32
    var blockCount: Int { (channelCount + Self.blockLength - 1) / Self.blockLength }
    /// The length of a sequence's state, in elements.
    var stateLength: Int { (taps - 1) * channelCount }

    init(_ reader: MetadataReader, embeddingLength: Int) throws(ModelError) {
      channelCount = embeddingLength
      taps = try reader.requiredSize("shortconv.l_cache")
      guard (2...64).contains(taps), channelCount <= 1 << 24 else {
        throw .badValue(key: reader.key("shortconv.l_cache"), value: "\(taps)", expected: "2 to 64")
      }
    }
  }

  init(
    _ configuration: Configuration, _ model: ModelConfiguration, _ prefix: String, _ binder: inout WeightBinder
  ) throws(ModelError) {
    let length = model.embeddingLength
    sizes = configuration
    input = try binder.matrix("\(prefix)shortconv.in_proj", columns: length, rows: 3 * length)
    weights = try binder.transposed("\(prefix)shortconv.conv.weight", columns: sizes.taps, rows: length)
    output = try binder.matrix("\(prefix)shortconv.out_proj", columns: length, rows: length)
    guard !input.bias.isPresent else { throw .unusedTensor(name: "\(prefix)shortconv.in_proj.bias") }
    // Channels are published in blocks of 32; the last block is whole if their number is a multiple of 32.
    outputForm = ActivationForm(partsOf: length, for: output)
  }

  var readsQuants: Bool { input.readsQuants }
  var readsFloats: Bool { input.readsFloats }
  var outputBias: Vector { output.bias }
  var longestRow: Int { sizes.channelCount }
  var history: History { .state }

  func takeRoom(_ room: inout TeamRoom, _ sizes: PassSizes) { _ = Buffers(&room, self, sizes) }

  func takeState(_ arena: inout Arena, _ state: StateSizes, team: Int, teamCount: Int) -> [StatePiece] {
    [ConvolutionInputs(&arena, channelCount: sizes.channelCount, taps: sizes.taps, state).piece]
  }

  /// What a team's threads share from one barrier to the next.
  struct Buffers {
    /// The outputs of the three projections, [token][projection][channel].
    let inputs: Rows
    /// The output, [token][channel].
    let mixed: Columns

    @inline(__always)
    init(_ room: inout TeamRoom, _ mixer: ShortConvolution, _ pass: PassSizes) {
      inputs = room.parts.rows(pass.batch, length: 3 * mixer.sizes.channelCount)
      mixed = room.parts.columns(pass.batch, length: mixer.sizes.channelCount, keepsPlain: mixer.outputForm.plain)
    }
  }
}

/// A short convolution of one layer on one thread, from the normalised residual to the output in `projected`.
struct ShortConvolutionStep {
  private let thread: PassThread
  private let mixer: ShortConvolution
  private let buffers: ShortConvolution.Buffers
  private let inputs: ConvolutionInputs

  @inline(__always)
  init(_ thread: PassThread, _ mixer: ShortConvolution, layer: Int) {
    self.thread = thread
    self.mixer = mixer
    var room = thread.room
    buffers = ShortConvolution.Buffers(&room, mixer, thread.pass.sizes)
    var arena = thread.state(ofLayer: layer)
    inputs = ConvolutionInputs(&arena, channelCount: mixer.sizes.channelCount, taps: mixer.sizes.taps, thread.pass.state)
  }

  func run() {
    let worker = thread.worker
    worker.forEachPart(of: mixer.input.unitCount(team: worker.team), .projections) { part in
      thread.project(mixer.input, first: 0, part, thread.normed, into: buffers.inputs)
    }
    worker.barrier(after: .projections)
    // Channels are divided among the teams, and those of a team among its threads.
    let blocks = mixer.sizes.blockCount
    let first = blocks * worker.team / worker.teamCount
    for block in thread.part(of: blocks * (worker.team + 1) / worker.teamCount - first) { convolve(first + block) }
    worker.barrier(after: .attention)
    thread.projectOutput(mixer.output, buffers.mixed, handedOnAs: mixer.outputForm)
  }

  private func convolve(_ block: Int) {
    let (kernels, count) = (thread.kernels, mixer.sizes.channelCount)
    let length = ShortConvolution.Configuration.blockLength
    let channels = block * length..<min(count, (block + 1) * length)
    func part(_ projection: Int, _ token: Int) -> Row {
      buffers.inputs[token][projection * count + channels.lowerBound..<projection * count + channels.upperBound]
    }
    for token in 0..<thread.step.count { kernels.multiply(part(0, token), part(2, token), into: part(2, token)) }
    thread.convolve(channels, of: buffers.inputs, from: 2 * count, inputs, weights: mixer.weights) { token, row in
      kernels.multiply(row, part(1, token), into: row)
      thread.publish(row, as: mixer.outputForm, to: buffers.mixed, column: token, from: channels.lowerBound)
    }
  }
}
