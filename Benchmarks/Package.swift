// swift-tools-version: 6.2
// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception
import PackageDescription

// A separate package, so that users of the programs do not build it.
// Kernels compared with the memory and the clock: swift run -c release --package-path Benchmarks kernels
// Attention and the other operations of a layer: swift run -c release --package-path Benchmarks operations
let package = Package(
  name: "Benchmarks",
  dependencies: [
    .package(name: "ggufpack", path: ".."),
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
  ],
  targets: [
    .target(name: "CLoops", cSettings: [.define("_GNU_SOURCE"), .enableWarning("all"), .enableWarning("extra")]),
    .executableTarget(
      name: "kernels",
      dependencies: [
        "CLoops",
        .product(name: "CKernels", package: "ggufpack"),
        .product(name: "PackFormat", package: "ggufpack"),
        .product(name: "GGUF", package: "ggufpack"),
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      path: "Sources/KernelBenchmark"),
    .executableTarget(
      name: "operations",
      dependencies: [
        "CLoops",
        .product(name: "CKernels", package: "ggufpack"),
        .product(name: "GGUF", package: "ggufpack"),
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      path: "Sources/OperationBenchmark"),
  ],
  swiftLanguageModes: [.v6],
  cLanguageStandard: .gnu17
)
