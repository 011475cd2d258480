import Foundation

/// This repository's folder.
package let repository = URL(filePath: #filePath).appending(path: "../../..").standardized

/// Whether the release build is there, which the scripts start.
package var isReleaseBuilt: Bool {
    FileManager.default.isExecutableFile(atPath: repository.appending(path: ".build/release/misp-worker").path)
}

/// What a script ended with.
package struct ScriptRun: Sendable {
    package let status: Int32
    package let output: String
    package let errors: String
}

/// Runs a script of the repository, which then builds nothing, in `folder`, by default the current one.
///
/// - Parameter meanwhile: called once the script has started, with the process's number.
package func runScript(
    _ script: String, _ arguments: [String] = [], in folder: URL? = nil, environment: [String: String] = [:],
    meanwhile: (Int32) -> Void = { _ in }
) throws -> ScriptRun {
    try runScript(
        repository.appending(path: script), arguments, in: folder, environment: environment, meanwhile: meanwhile)
}

/// Runs commands of bash, in which `$ROOT` is the repository.
package func runBash(
    _ commands: String, in folder: URL? = nil, environment: [String: String] = [:]
) throws -> ScriptRun {
    try runScript(
        URL(filePath: "/bin/bash"), ["-c", commands], in: folder,
        environment: environment.merging(["ROOT": repository.path]) { $1 })
}

private func runScript(
    _ script: URL, _ arguments: [String], in folder: URL?, environment: [String: String],
    meanwhile: (Int32) -> Void = { _ in }
) throws -> ScriptRun {
    let files = try TemporaryFolder()
    for name in ["output", "errors"] { try Data().write(to: files[name]) }
    let process = Process()
    process.executableURL = script
    process.arguments = arguments
    process.environment = ProcessInfo.processInfo.environment.merging(["MISP_BUILT": "1"]) { $1 }
        .filter { !$0.key.hasPrefix("OMPI_MCA_") }.merging(environment) { $1 }
    if let folder { process.currentDirectoryURL = folder }
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = try FileHandle(forWritingTo: files["output"])
    process.standardError = try FileHandle(forWritingTo: files["errors"])
    try withoutHeldSignals { try process.run() }
    meanwhile(process.processIdentifier)
    process.waitUntilExit()
    return ScriptRun(
        status: process.terminationStatus, output: try String(contentsOf: files["output"], encoding: .utf8),
        errors: try String(contentsOf: files["errors"], encoding: .utf8))
}
