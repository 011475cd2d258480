import Core
import Foundation

extension RunConfiguration {
    /// Where a run took place: written below a resolved configuration, ignored when that is read.
    package struct Environment: Sendable {
        package var version: String
        package var processor: String
        package var cores: Int
        /// OpenBLAS's kernel.
        package var blas: String
        package var ranks: Int

        package init(version: String, processor: String, cores: Int, blas: String, ranks: Int) {
            self.version = version
            self.processor = processor
            self.cores = cores
            self.blas = blas
            self.ranks = ranks
        }

        /// Of this process.
        static func current(ranks: Int) -> Environment {
            Environment(
                version: Release.version, processor: processorName,
                cores: ProcessInfo.processInfo.processorCount, blas: BLAS.kernel, ranks: ranks)
        }

        /// The processor's name as the system gives it, else its architecture.
        private static var processorName: String {
            let lines = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8))?.split(separator: "\n") ?? []
            let name = lines.first { $0.hasPrefix("model name") }?.split(separator: ":").last
            return name.map { $0.trimmingCharacters(in: .whitespaces) } ?? "unknown"
        }

        var json: JSON {
            [
                "version": .string(version), "processor": .string(processor), "cores": .integer(cores),
                "blas": .string(blas), "ranks": .integer(ranks),
            ]
        }
    }

    /// The configuration with every default and absolute paths, as YAML that `init(contentsOf:)` reads back to an
    /// equal value. The same run on the same machine gives the same bytes.
    package func yaml(environment: Environment) -> String {
        ResolvedConfiguration.yaml(json, environment: environment)
    }

    /// Every key in the order of the documentation.
    var json: JSON { Self.keys.json(of: self) }
}
