// swift-tools-version: 6.1
import PackageDescription

// On x86-64 the kernels want AVX2 and FMA (x86-64-v3); MISP_CPU=baseline builds for any x86-64 processor.
#if arch(x86_64)
    let architecture = Context.environment["MISP_CPU"] == "baseline" ? [] : ["-march=x86-64-v3"]
#else
    let architecture: [String] = []
#endif
let vectorSwift: [SwiftSetting] =
    architecture.isEmpty ? [] : [.unsafeFlags(architecture.flatMap { ["-Xcc", $0] })]
let processorC: [CSetting] = architecture.isEmpty ? [] : [.define("MISP_X86_64_V3")]
let vectorC: [CSetting] = architecture.isEmpty ? [] : [.unsafeFlags(architecture)]

let package = Package(
    name: "misp",
    platforms: [.macOS(.v15)],
    // No library: vector code needs a processor's flags, which a package that others depend on may not set.
    products: [.executable(name: "misp-worker", targets: ["Worker"])],
    dependencies: [
        // Exact: results are promised to the bit.
        .package(url: "https://github.com/apple/swift-argument-parser", exact: "1.8.2"),
        .package(url: "https://github.com/jpsim/Yams", exact: "6.2.2"),
    ],
    targets: [
        .systemLibrary(
            name: "OpenMPI", pkgConfig: "ompi-c", providers: [.apt(["libopenmpi-dev"]), .brew(["open-mpi"])]),
        .systemLibrary(
            name: "OpenBLAS", pkgConfig: "openblas", providers: [.apt(["libopenblas-dev"]), .brew(["openblas"])]),
        .systemLibrary(name: "LibPNG", pkgConfig: "libpng", providers: [.apt(["libpng-dev"]), .brew(["libpng"])]),
        .systemLibrary(
            name: "LibJPEG", pkgConfig: "libjpeg", providers: [.apt(["libjpeg-dev"]), .brew(["jpeg-turbo"])]),
        .systemLibrary(name: "LibWebP", pkgConfig: "libwebp", providers: [.apt(["libwebp-dev"]), .brew(["webp"])]),
        .systemLibrary(
            name: "LibWebPDemux", pkgConfig: "libwebpdemux", providers: [.apt(["libwebp-dev"]), .brew(["webp"])]),
        .systemLibrary(
            name: "LibCrypto", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"]), .brew(["openssl@3"])]),
        .systemLibrary(
            name: "LibCurl", pkgConfig: "libcurl", providers: [.apt(["libcurl4-openssl-dev"]), .brew(["curl"])]),
        .target(name: "CMPI", dependencies: ["OpenMPI"], linkerSettings: [.linkedLibrary("mpi")]),
        .target(name: "COpenBLAS", dependencies: ["OpenBLAS"], linkerSettings: [.linkedLibrary("openblas")]),
        .target(
            name: "CImages", dependencies: ["LibPNG", "LibJPEG", "LibWebP", "LibWebPDemux"],
            linkerSettings: ["png", "jpeg", "webpdemux", "webp"].map { .linkedLibrary($0) }),
        .target(name: "CCrypto", dependencies: ["LibCrypto"], linkerSettings: [.linkedLibrary("crypto")]),
        .target(name: "CCurl", dependencies: ["LibCurl"], linkerSettings: [.linkedLibrary("curl")]),
        .target(name: "CVector", cSettings: vectorC),
        .target(name: "CProcessor", cSettings: processorC),
        .target(name: "CProduct"),
        .target(name: "CActivation"),
        .target(
            name: "Core",
            dependencies: ["CActivation", "CCrypto", "CImages", "COpenBLAS", "CProcessor", "CProduct", "CVector"],
            swiftSettings: vectorSwift),
        .target(name: "Coordinator", dependencies: ["Core", "CMPI"], swiftSettings: vectorSwift),
        .executableTarget(
            name: "Worker",
            dependencies: [
                "CCurl", "Core", "Coordinator", "Yams",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: vectorSwift),
        .testTarget(name: "CoreTests", dependencies: ["Core", "TestSupport"], swiftSettings: vectorSwift),
        .target(name: "TestSupport", path: "Tests/TestSupport"),
        .executableTarget(
            name: "RankProbe", dependencies: ["Core", "Coordinator", "CMPI"], path: "Tests/RankProbe",
            swiftSettings: vectorSwift),
        .testTarget(
            name: "CoordinatorTests", dependencies: ["Coordinator", "RankProbe", "TestSupport"],
            swiftSettings: vectorSwift),
        .testTarget(name: "WorkerTests", dependencies: ["Worker", "TestSupport"], swiftSettings: vectorSwift),
    ]
)
