import Core
import Foundation

/// What Tests/Goldens/images.py wrote: pictures, their pixels by Pillow, and pixel_values by transformers.
struct ImageGoldens {
    let folder: URL
    let root: JSON

    /// The committed ones, and those of MISP_IMAGE_COMPARISON, a folder that `images.py --large` made.
    static func all() throws -> [ImageGoldens] {
        var folders = [URL(filePath: #filePath).appending(path: "../../../Goldens").standardized]
        if let large = ProcessInfo.processInfo.environment["MISP_IMAGE_COMPARISON"] {
            folders.append(URL(filePath: large))
        }
        return try folders.map {
            try ImageGoldens(folder: $0, root: JSON(contentsOf: $0.appending(path: "images.json")))
        }
    }

    func url(_ name: String) -> URL { folder.appending(path: "images").appending(path: name) }

    struct Pixels {
        let width, height, checksum: Int
        let samples: [Double]
    }

    var decoded: [(file: String, pixels: Pixels, refusedAt: [Int])] {
        get throws {
            try field("decoded").map { item in
                let pixels = Pixels(
                    width: try item["width"].int(), height: try item["height"].int(),
                    checksum: try item["crc"].int(), samples: try item["samples"].array().map { try $0.double() })
                return (try item["file"].string(), pixels, try item["refused_at"].array().map { try $0.int() })
            }
        }
    }

    struct Processed {
        let configuration: JSONField
        let width, height: Int
        let shape: [Int]
        let checksum: Int
        let samples: [Double]
    }

    var processed: [Processed] {
        get throws {
            let configurations = JSONField(root["configurations"], file: "images.json")
            return try field("processed").map { item in
                Processed(
                    configuration: configurations[try item["configuration"].string()],
                    width: try item["image"][0].int(), height: try item["image"][1].int(),
                    shape: try item["shape"].array().map { try $0.int() }, checksum: try item["crc"].int(),
                    samples: try item["samples"].array().map { try $0.double() })
            }
        }
    }

    private func field(_ key: String) throws -> [JSONField] {
        try JSONField(root[key], file: "images.json").array()
    }

    /// The picture that images.py makes by the same formula.
    static func pattern(width: Int, height: Int) -> RGBImage {
        var pixels: [UInt8] = []
        pixels.reserveCapacity(width * height * 3)
        for y in 0..<height {
            for x in 0..<width {
                let value = 3 * x * x + 5 * y * y + 7 * x * y + 11 * x
                for channel in 0..<3 { pixels.append(UInt8((value + 64 * channel) / 8 % 256)) }
            }
        }
        return RGBImage(width: width, height: height, pixels: pixels)
    }

    /// `count` evenly spread indices of `length` values.
    static func sampleIndices(of length: Int, count: Int) -> [Int] {
        (0..<count).map { $0 * (length - 1) / (count - 1) }
    }

    private static let table: [UInt32] = (0..<256).map { (byte: UInt32) -> UInt32 in
        var value = byte
        for _ in 0..<8 { value = value & 1 == 1 ? 0xEDB8_8320 ^ (value >> 1) : value >> 1 }
        return value
    }

    /// CRC-32 as zlib has it.
    static func checksum(_ bytes: some Sequence<UInt8>) -> Int {
        var value = ~UInt32(0)
        for byte in bytes { value = table[Int((value ^ UInt32(byte)) & 0xFF)] ^ (value >> 8) }
        return Int(~value)
    }

    /// Writes the right checksum behind every chunk of a PNG file.
    static func mendPNGChecksums(_ bytes: inout [UInt8]) {
        guard bytes.starts(with: [0x89, 0x50, 0x4E, 0x47]) else { return }
        var start = 8
        while start + 12 <= bytes.count {
            let end = start + 8 + bytes[start..<start + 4].reduce(0) { $0 << 8 | Int($1) }
            guard end + 4 <= bytes.count else { return }
            let value = checksum(bytes[start + 4..<end])
            for i in 0..<4 { bytes[end + i] = UInt8(truncatingIfNeeded: value >> (24 - 8 * i)) }
            start = end + 4
        }
    }
}
