// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

extension Architecture {
  /// Every architecture that this program can compute.
  public static let all =
    llamas + qwens + qwenHybrids + gemmas + others + granites + liquids + nemotrons + kimis + mixtures + latents

  /// Llama and its close relatives.
  private static let llamas = [
    Architecture(name: "llama", pairing: .adjacent),
    Architecture(name: "mistral3", keys: [.temperature], pairing: .adjacent),
    Architecture(
      name: "llama4", keys: [.expertPeriod], pairing: .adjacent, queryKeyNorm: .perHeadUnlessExperts(128), windows: .period(4),
      defaultWindow: 8192, windowsAreChunks: true, fullLayersRotate: false,
      temperature: Temperature(scale: 0.1, length: 8192, offset: 1), gating: .sigmoid, normalisesExpertWeights: false,
      choosesBeforeGate: true, weighsExpertInputs: true, alwaysSharesExpert: true),
  ]

  private static let qwens = [
    Architecture(name: "qwen2"),
    Architecture(name: "qwen2moe", normalisesExpertWeights: false, gatesSharedExpert: true),
    Architecture(name: "qwen3", queryKeyNorm: .perHead),
    Architecture(name: "qwen3moe", queryKeyNorm: .perHead),
    Architecture(name: "qwen3vl", queryKeyNorm: .perHead),
    Architecture(name: "qwen3vlmoe", queryKeyNorm: .perHead),
  ]

  /// Qwen's hybrids of delta nets and attention.
  private static let qwenHybrids = [
    Architecture(
      name: "qwen35", mixers: .deltaNets(.tiled), networkNormIsPostAttention: true, queryKeyNorm: .perHead, outputGate: .inQuery,
      predictionInput: .normalised),
    Architecture(
      name: "qwen35moe", mixers: .deltaNets(.tiled), networkNormIsPostAttention: true, queryKeyNorm: .perHead, outputGate: .inQuery,
      gatesSharedExpert: true, predictionInput: .normalised),
    Architecture(
      name: "qwen3next", mixers: .deltaNets(.grouped), networkNormIsPostAttention: true, queryKeyNorm: .perHead,
      outputGate: .inQuery, gatesSharedExpert: true, predictionInput: .normalised),
  ]

  private static let gemmas = [
    Architecture(
      name: "gemma2", normalisesOutputs: true, scalesEmbedding: true, keys: [.attentionSoftcap], windows: .period(2),
      // The model with 46 layers is the one of 27B parameters.
      defaultWindow: 4096, layerCountScaledByEmbedding: 46, activation: .geGLU),
    Architecture(
      name: "gemma3", normalisesOutputs: true, scalesEmbedding: true, queryKeyNorm: .perHead, windows: .period(6),
      // The model with 62 layers is the one of 27B parameters.
      windowRotaryBase: 10_000, windowRotaryIsPlain: true, layerCountScaledByEmbedding: 62, activation: .geGLU),
    Architecture(
      name: "gemma4", normalisesOutputs: true, scalesEmbedding: true, scalesLayers: true, keys: [.sharedCaches, .layerInputs],
      queryKeyNorm: .perHead, windows: .pattern, windowRotaryIgnoresFactors: true, scoreScale: 1, normalisesValues: true,
      valuesMayBeKeys: true, activation: .geGLU, hasDenseBesideExperts: true),
  ]

  /// Dense models.
  private static let others = [
    Architecture(
      name: "cohere2", subtractsMean: true, hasParallelNetwork: true, keys: [.logitScale], pairing: .adjacent, windows: .period(4),
      fullLayersRotate: false),
    Architecture(
      name: "exaone4", normalisesInputs: false, normalisesOutputs: true, queryKeyNorm: .perHead, windows: .period(4),
      layerCountWithWindows: 64, defaultWindow: 4096, fullLayersRotate: false),
    Architecture(name: "glm4", normalisesOutputs: true, pairing: .adjacent, sectionsPairHalves: true),
    Architecture(
      name: "olmo2", normalisesInputs: false, normalisesOutputs: true, queryKeyNorm: .wholeProjection, windows: .period(4),
      windowRotaryIsPlain: true),
    Architecture(name: "phi3"),
    Architecture(name: "seed_oss", networkNormIsPostAttention: true),
  ]

  /// Granite: the file holds its scales.
  private static let granites = [
    Architecture(
      name: "granite", keys: [.embeddingScale, .residualScale, .logitScale], dividesLogits: true, pairing: .adjacent,
      finetunedMeansRotary: true),
    Architecture(
      name: "granitemoe", keys: [.embeddingScale, .residualScale, .logitScale], dividesLogits: true, pairing: .adjacent,
      finetunedMeansRotary: true),
    Architecture(
      name: "granitehybrid", mixers: .mambas, keys: [.embeddingScale, .residualScale, .logitScale], dividesLogits: true,
      pairing: .adjacent, finetunedMeansRotary: true),
  ]

  /// LFM 2, with short convolutions.
  private static let liquids = [
    Architecture(
      name: "lfm2", mixers: .convolutions, outputNormName: "token_embd_norm", queryKeyNorm: .perHead, windows: .period(0)),
    Architecture(
      name: "lfm2moe", mixers: .convolutions, outputNormName: "token_embd_norm", queryKeyNorm: .perHead, gating: .sigmoid),
  ]

  /// Nemotron: each layer is a state space layer, attention without RoPE, or experts without gates.
  private static let nemotrons = [
    Architecture(
      name: "nemotron_h_moe", mixers: .mambas, hasOnePartPerLayer: true, keys: [.mixtureLatent], hasRotary: false,
      activation: .squaredReLU,
      gating: .sigmoid, normalisesExpertWeights: false, readsExpertWeightsNorm: true)
  ]

  /// Kimi's hybrids of delta nets and latent attention, both without RoPE.
  private static let kimis = [
    Architecture(
      name: "kimi-k3", mixers: .kimiDeltaNets, keys: [.situ, .expertLatent, .residualPeriod], hasRotary: false,
      outputGate: .perElement, gating: .sigmoid, normalisesExpertWeights: false, readsExpertWeightsNorm: true),
    Architecture(name: "kimi-linear", mixers: .kimiDeltaNets, hasRotary: false, gating: .sigmoid),
  ]

  /// Mixtures of experts with ordinary attention.
  private static let mixtures = [
    Architecture(
      name: "bailingmoe2", queryKeyNorm: .perHead, gating: .sigmoid, normalisesExpertWeights: false, readsExpertWeightsNorm: true,
      sharedLengthIsPerExpert: true),
    Architecture(
      name: "dots1", queryKeyNorm: .perHead, gating: .sigmoid, normalisesExpertWeights: false, readsExpertWeightsNorm: true),
    Architecture(name: "ernie4_5-moe", keys: [.expertPeriod], pairing: .adjacent),
    Architecture(
      name: "glm4moe", networkNormIsPostAttention: true, gating: .sigmoid, normalisesExpertWeights: false,
      readsExpertWeightsNorm: true, predictionInput: .normalised),
    Architecture(
      name: "gpt-oss", networkNormIsPostAttention: true, windows: .period(2), hasSinks: true, valuesReadTwoParts: true,
      activation: .clampedSwiGLU, gating: .softmaxOfChosen, normalisesExpertWeights: false),
    Architecture(name: "hunyuan-moe", queryKeyNorm: .perHead, rotatesBeforeNorm: true, alwaysSharesExpert: true),
    Architecture(
      name: "mimo2", keys: [.valueScale], windows: .pattern, gating: .sigmoid, routersTellExperts: true, predictionInput: .residual),
    Architecture(name: "minimax-m2", queryKeyNorm: .wholeProjection, gating: .sigmoid),
    Architecture(
      name: "minimax-m3", queryKeyNorm: .perHead, choosesBlocks: true, activation: .clampedSwiGLU, gating: .sigmoid,
      normalisesExpertWeights: false, readsExpertWeightsNorm: true),
    Architecture(name: "olmoe", queryKeyNorm: .wholeProjection, normalisesExpertWeights: false),
    Architecture(
      name: "step35", keys: [.expertClamp, .sharedClamp], queryKeyNorm: .perHead, windows: .pattern,
      windowRotaryIgnoresFactors: true, fullRotaryDivisor: 2,
      outputGate: .perHead, gating: .sigmoid, normalisesExpertWeights: false, readsExpertWeightsNorm: true,
      predictionInput: .residual),
  ]

  /// Models with latent attention, and DeepSeek V4's compressed attention, its successor.
  private static let latents = [
    Architecture(
      name: "deepseek2", mixers: .latent, keys: [.temperature], pairing: .adjacent,
      // The exception is GLM 4.7 Flash; DeepSeek V2 and V2.5 use softmax.
      gatingException: GatingException(layerCounts: 47...48, vocabularySize: 154_880, gating: .sigmoid),
      normalisesExpertWeights: false, readsExpertWeightsNorm: true, predictionInput: .normalised),
    Architecture(
      name: "deepseek4", mixers: .compressed, keys: [.expertClamp, .sharedClamp, .streams, .hashLayers], pairing: .adjacent,
      limitsGateFirst: true, gating: .rootSoftplus, normalisesExpertWeights: false, readsExpertWeightsNorm: true),
    Architecture(
      name: "deepseek32", mixers: .latent, pairing: .adjacent,
      indexer: Indexer.Traits(pairing: .halves, epsilon: 1e-6, sharingContextLength: nil), gating: .sigmoid,
      normalisesExpertWeights: false, readsExpertWeightsNorm: true, predictionInput: .normalised),
    Architecture(
      name: "glm-dsa", mixers: .latent, pairing: .adjacent,
      indexer: Indexer.Traits(pairing: .adjacent, epsilon: 0, sharingContextLength: 1 << 20), gating: .sigmoid,
      normalisesExpertWeights: false, readsExpertWeightsNorm: true, predictionInput: .normalised),
    Architecture(
      name: "mistral4", mixers: .latent, keys: [.temperature], pairing: .adjacent, normalisesExpertWeights: false,
      readsExpertWeightsNorm: true),
  ]
}
