import Core
import Foundation
import Testing

/// The examples of FIPS 180-4 and of NIST's test vectors for SHA-256.
@Suite struct SHA256Tests {
    @Test(arguments: [
        ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (
            "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
        ),
        (
            """
            abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmn\
            hijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu
            """,
            "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"
        ),
    ])
    func standardVectors(message: String, expected: String) {
        #expect(SHA256.digest(message).description == expected)
    }

    @Test func aMillionLetters() {
        let digest = SHA256.digest([UInt8](repeating: UInt8(ascii: "a"), count: 1_000_000))
        #expect(digest.description == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0")
    }

    /// Lengths around a block's end, in parts of any size.
    @Test func partsMakeNoDifference() {
        let bytes = (0..<200).map { UInt8(truncatingIfNeeded: $0 * 7 + 3) }
        for length in [0, 1, 54, 55, 56, 57, 63, 64, 65, 119, 120, 127, 128, 129, 200] {
            let whole = SHA256.digest(Array(bytes.prefix(length)))
            for part in [1, 3, 63, 64, 65] {
                var hash = SHA256()
                for start in stride(from: 0, to: length, by: part) {
                    hash.add(Array(bytes[start..<min(start + part, length)]))
                }
                #expect(hash.finish() == whole, "\(length) bytes in parts of \(part)")
            }
        }
    }

    @Test func listsOfTextsDiffer() {
        func digest(_ texts: String...) -> Digest {
            var hash = SHA256()
            for text in texts { hash.add(text) }
            return hash.finish()
        }
        #expect(digest("ab", "c") != digest("a", "bc"))
        #expect(digest("ab", "c") == digest("ab", "c"))
    }

    @Test func digestsAreTheirBytes() {
        let digest = SHA256.digest("abc")
        #expect(Digest(bytes: digest.bytes) == digest)
        #expect(digest.bytes.first == 0xba && digest.bytes.last == 0xad)
        #expect(
            Digest(bytes: [UInt8](repeating: 0, count: 31) + [1])
                < Digest(bytes: [1] + [UInt8](repeating: 0, count: 31)))
    }
}
