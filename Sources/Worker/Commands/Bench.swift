import ArgumentParser

/// `misp-worker bench`: measurements for people who tune the program.
package struct Bench: ParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "bench", abstract: "Measures the program on this machine.",
        subcommands: [StepBenchmark.self, GenerationBenchmark.self, MiningBenchmark.self])

    package init() {}
}
