/// The largest numbers that configurations may hold. Products of them fit 64 bits, and so no shape overflows before it
/// is compared with a file's.
enum SizeLimit {
    static let width = 1 << 20
    static let layers = 4096
    static let vocabulary = 1 << 28
    static let side = 16_384
}

extension JSONField {
    /// A whole number from 1 to `limit`.
    func size(default value: Int, to limit: Int = SizeLimit.width) throws(MISPError) -> Int {
        let number = try int(default: value)
        guard 1...limit ~= number else { throw failure("is \(number), but must be from 1 to \(limit)") }
        return number
    }

    /// A number above 0, such as a norm's epsilon.
    func positiveNumber(default value: Double) throws(MISPError) -> Double {
        let number = try double(default: value)
        guard number > 0, number.isFinite else { throw failure("is \(number), but must be finite and above 0") }
        return number
    }

    func tokenID(default value: Int) throws(MISPError) -> Int {
        let number = try int(default: value)
        guard 0...Int(Int32.max) ~= number else { throw failure("is \(number), which is no token id") }
        return number
    }
}
