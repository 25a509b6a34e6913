// swift-tools-version: 6.2
// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception
import PackageDescription

// Our own build refuses warnings; a user's must not fail because a newer compiler finds one more.
let refusesWarnings = Context.environment["GGUFPACK_WARNINGS_AS_ERRORS"] != nil
let swiftWarnings: [SwiftSetting] = refusesWarnings ? [.treatAllWarnings(as: .error)] : []
let cWarnings: [CSetting] =
  [.enableWarning("all"), .enableWarning("extra")] + (refusesWarnings ? [.treatAllWarnings(as: .error)] : [])

let safe: [SwiftSetting] =
  [
    .strictMemorySafety(),
    .enableExperimentalFeature("Lifetimes"),
  ] + swiftWarnings

// The steps of a model work on raw pointers throughout; their fences are the types of PackRuntime/Memory, so Inference is not
// under strict memory safety.
let fast: [SwiftSetting] = swiftWarnings
let kernels: [CSetting] = [.define("NDEBUG", .when(configuration: .release))] + cWarnings

let package = Package(
  name: "ggufpack",
  products: [
    .executable(name: "ggufpack", targets: ["ggufpack"]),
    .executable(name: "packrun", targets: ["packrun"]),
    .library(name: "CKernels", targets: ["CKernels"]),
    .library(name: "GGUF", targets: ["GGUF"]),
    .library(name: "PackFormat", targets: ["PackFormat"]),
    .library(name: "Repack", targets: ["Repack"]),
    .library(name: "PackRuntime", targets: ["PackRuntime"]),
    .library(name: "Generation", targets: ["Generation"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
    .package(url: "https://github.com/apple/swift-system", from: "1.8.0"),
  ],
  targets: [
    // System libraries.
    .systemLibrary(name: "CNuma", pkgConfig: "numa", providers: [.apt(["libnuma-dev"])]),
    .systemLibrary(name: "CZstd", pkgConfig: "libzstd", providers: [.apt(["libzstd-dev"])]),
    .systemLibrary(name: "CXXHash", pkgConfig: "libxxhash", providers: [.apt(["libxxhash-dev"])]),

    // C: the table of weight types, SIMD kernels, and the system calls that Glibc's Swift module hides.
    .target(name: "WeightTypes", cSettings: cWarnings),
    .target(name: "CKernels", dependencies: ["WeightTypes"], cSettings: kernels),
    .target(name: "CLinux", cSettings: [.define("_GNU_SOURCE")] + cWarnings),

    // Libraries, in the direction of their imports.
    .target(
      name: "Files", dependencies: ["CLinux", .product(name: "SystemPackage", package: "swift-system")], swiftSettings: safe),
    .target(
      name: "GGUF",
      dependencies: ["WeightTypes", "Files"],
      swiftSettings: safe),
    .target(
      name: "PackFormat",
      dependencies: ["GGUF", "WeightTypes", "Files", "JSON", "CLinux", "CXXHash", "CZstd"],
      swiftSettings: safe),
    .target(
      name: "Repack",
      dependencies: ["PackFormat", "GGUF", "Files", "CKernels"],
      swiftSettings: safe),
    // A module called Runtime ships with the toolchain.
    .target(
      name: "PackRuntime",
      dependencies: [
        "PackFormat", "GGUF", "Files", "CLinux", "CNuma", .product(name: "SystemPackage", package: "swift-system"),
      ],
      path: "Sources/Runtime",
      swiftSettings: safe),
    .target(name: "Tokenization", dependencies: ["GGUF", "Files"], swiftSettings: safe),
    .target(
      name: "Inference", dependencies: ["PackRuntime", "PackFormat", "GGUF", "Files", "CKernels"], swiftSettings: fast),
    .target(
      name: "Generation",
      dependencies: [
        "Inference", "Tokenization", "ChatTemplates", "Grammar", "JSON", "PackRuntime", "PackFormat", "GGUF", "Files",
      ],
      swiftSettings: safe),
    .target(
      name: "Doctor",
      dependencies: [
        "Generation", "PackRuntime", "PackFormat", "Files", "JSON", "CLinux",
        .product(name: "SystemPackage", package: "swift-system"),
      ],
      swiftSettings: safe),

    // What a conversation becomes: these need nothing but Swift.
    // (Rounding a float calls the C library's mathematics, which a program that imports nothing else would not link.)
    .target(name: "JSON", swiftSettings: safe),
    .target(name: "ChatTemplates", dependencies: ["JSON"], swiftSettings: safe, linkerSettings: [.linkedLibrary("m")]),
    .target(name: "Grammar", dependencies: ["JSON"], swiftSettings: safe, linkerSettings: [.linkedLibrary("m")]),

    // A server without the network: what it is asked for, in which order it answers, and what it keeps.
    .target(
      name: "Serving",
      dependencies: [
        "Generation", "Inference", "Tokenization", "ChatTemplates", "Grammar", "JSON", "PackRuntime", "PackFormat", "GGUF", "Files",
        .product(name: "SystemPackage", package: "swift-system"),
      ],
      swiftSettings: safe),

    // Programs, and what they share.
    .target(
      name: "Console",
      dependencies: [
        "PackFormat", "GGUF", "Files", "CLinux", "JSON", .product(name: "SystemPackage", package: "swift-system"),
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      swiftSettings: safe),
    // What the programs that compute models share.
    .target(
      name: "ModelConsole",
      dependencies: [
        "Console", "Generation", "Inference", "Tokenization", "ChatTemplates", "PackRuntime", "PackFormat", "Files", "JSON",
        .product(name: "SystemPackage", package: "swift-system"),
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      swiftSettings: safe),
    .executableTarget(
      name: "ggufpack",
      dependencies: [
        "Console", "Repack", "PackRuntime", "PackFormat", "GGUF", "Files", "JSON",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      swiftSettings: safe),
    .executableTarget(
      name: "packrun",
      dependencies: [
        "ModelConsole", "Console", "Doctor", "Generation", "Inference", "Tokenization", "ChatTemplates", "Grammar", "PackRuntime",
        "PackFormat", "GGUF", "Files", "JSON", .product(name: "SystemPackage", package: "swift-system"),
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      swiftSettings: safe),

    // A writer of GGUF files, for the fixtures and the tests: the programs only read them.
    .target(name: "GGUFWriting", dependencies: ["GGUF", "Files"], path: "Tests/GGUFWriting", swiftSettings: safe),
    .executableTarget(
      name: "make-fixtures", dependencies: ["GGUF", "GGUFWriting"], path: "fixtures/generator", swiftSettings: fast),

    // Tests. ModelTests computes models, and FuzzTests has many cases: they need a release build; see scripts/test.
    .target(name: "TestSupport", dependencies: ["GGUF"], path: "Tests/TestSupport"),
    .testTarget(
      name: "FilesTests", dependencies: ["Files", "TestSupport", .product(name: "SystemPackage", package: "swift-system")]),
    .testTarget(
      name: "FuzzTests",
      dependencies: ["GGUF", "PackFormat", "Repack", "Inference", "Tokenization", "Serving", "JSON", "GGUFWriting", "TestSupport"]),
    .testTarget(name: "GGUFTests", dependencies: ["GGUF", "GGUFWriting", "TestSupport", "make-fixtures"]),
    .testTarget(name: "ChatTemplatesTests", dependencies: ["ChatTemplates", "JSON", "TestSupport"]),
    .testTarget(name: "GrammarTests", dependencies: ["Grammar", "JSON", "TestSupport"]),
    .testTarget(name: "PackFormatTests", dependencies: ["PackFormat", "Repack", "GGUF", "GGUFWriting", "TestSupport"]),
    .testTarget(name: "RepackTests", dependencies: ["Repack", "GGUFWriting", "TestSupport"]),
    .testTarget(name: "KernelTests", dependencies: ["CKernels", "EmulatedKernels", "GGUF", "PackFormat", "Repack", "TestSupport"]),
    .target(
      name: "EmulatedKernels", dependencies: ["CKernels"], path: "Tests/EmulatedKernels",
      cSettings: [.headerSearchPath("../../Sources/CKernels")] + cWarnings),
    .testTarget(
      name: "RuntimeTests",
      dependencies: ["Doctor", "PackRuntime", "Files", "JSON", "Repack", "CLinux", "GGUFWriting", "TestSupport"]),
    .testTarget(name: "TokenizationTests", dependencies: ["Tokenization", "GGUF", "TestSupport"]),
    .testTarget(name: "InferenceTests", dependencies: ["Inference", "Generation", "Repack", "TestSupport"]),
    .testTarget(
      name: "GenerationTests", dependencies: ["Generation", "ChatTemplates", "Grammar", "JSON", "GGUF", "TestSupport"]),
    .testTarget(
      name: "ModelTests",
      dependencies: ["Generation", "ChatTemplates", "Grammar", "JSON", "Repack", "GGUFWriting", "TestSupport"]),
    .testTarget(
      name: "ServingTests",
      dependencies: ["Serving", "Generation", "ChatTemplates", "Grammar", "JSON", "PackFormat", "Files", "Repack", "TestSupport"]),
    .testTarget(name: "ConsoleTests", dependencies: ["Console", "Files", "JSON"]),
    .testTarget(name: "ProgramTests", dependencies: ["GGUF", "PackFormat", "GGUFWriting", "TestSupport"]),
  ],
  swiftLanguageModes: [.v6],
  cLanguageStandard: .gnu17
)

// In release run only the tests that compute models and those of the programs (scripts/test), or those named (scripts/sanitize): the
// others need not be built again.
if let names = Context.environment["GGUFPACK_RELEASE_TESTS"] {
  let wanted = names == "1" ? ["ModelTests", "ProgramTests", "FuzzTests"] : names.split(separator: ",").map(String.init)
  package.targets.removeAll { target in
    target.name == "EmulatedKernels" || target.type == .test && !wanted.contains(target.name)
  }
}

// The server stands on 24 packages that nobody who only runs models should have to fetch and build: it is there where GGUFPACK_SERVER
// is set.
if Context.environment["GGUFPACK_SERVER"] != nil {
  package.products.append(.executable(name: "packserve", targets: ["packserve"]))
  package.dependencies += [
    .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.0"),
    .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
    .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.2"),
  ]
  // The page that the server answers at `/`: the C compiler puts its files into the program.
  let pageFiles = ["page.html", "page.css", "markdown.js", "store.js", "stream.js", "chat.js", "server.js", "page.js"]
  package.targets.append(.target(name: "ServerPage", exclude: pageFiles, cSettings: cWarnings))
  package.targets.append(
    .executableTarget(
      name: "packserve",
      dependencies: [
        "ModelConsole", "Console", "Serving", "Generation", "Inference", "Tokenization", "ChatTemplates", "PackRuntime",
        "PackFormat", "Files", "JSON", "ServerPage", .product(name: "Hummingbird", package: "hummingbird"),
        .product(name: "HummingbirdTLS", package: "hummingbird"), .product(name: "NIOSSL", package: "swift-nio-ssl"),
        .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
        .product(name: "Logging", package: "swift-log"), .product(name: "SystemPackage", package: "swift-system"),
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      swiftSettings: safe))
}

// libFuzzer brings its own main and calls ours; see scripts/fuzz.
if Context.environment["GGUFPACK_FUZZER"] != nil {
  package.targets.append(
    .executableTarget(
      name: "fuzz-header", dependencies: ["GGUF"], path: "Tests/Fuzz", swiftSettings: [.unsafeFlags(["-parse-as-library"])]))
}
