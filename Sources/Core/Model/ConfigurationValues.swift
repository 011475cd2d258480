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

    func activation(default value: Activation) throws(MISPError) -> Activation {
        guard isPresent else { return value }
        let name = try string()
        guard let activation = Activation(configured: name) else {
            let known = Activation.allCases.map(\.rawValue).joined(separator: ", ")
            throw failure("is \(name), which is not supported", remedy: "use one of \(known)")
        }
        return activation
    }
}
