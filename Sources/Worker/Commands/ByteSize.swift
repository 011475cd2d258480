import ArgumentParser
import Core

/// A number of bytes as Hugging Face's libraries read it: 5GB, 200MB, 512MiB, 4096.
struct ByteSize: ExpressibleByArgument, Equatable, CustomStringConvertible {
    private static let units = [
        ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("TiB", 1 << 40), ("KB", 1000), ("MB", 1_000_000),
        ("GB", 1_000_000_000), ("TB", 1_000_000_000_000), ("", 1),
    ]

    let bytes: Int

    init(_ bytes: Int) { self.bytes = bytes }

    init?(argument: String) {
        guard let (suffix, unit) = Self.units.first(where: { argument.hasSuffix($0.0) }),
            let number = Double(argument.dropLast(suffix.count)),
            let bytes = Int(exactly: (number * Double(unit)).rounded(.down)), bytes > 0
        else { return nil }
        self.bytes = bytes
    }

    var description: String {
        let unit = Self.units.dropFirst(4).reversed().first { bytes % $0.1 == 0 && $0.1 > 1 }
        return unit.map { "\(bytes / $0.1)\($0.0)" } ?? "\(bytes)"
    }
}

/// Number formats of written weights, as PyTorch calls them.
enum WeightType: String, ExpressibleByArgument, CaseIterable {
    case float32, bfloat16, float16

    var format: StoredFormat {
        switch self {
        case .float32: .float32
        case .bfloat16: .bfloat16
        case .float16: .float16
        }
    }
}
