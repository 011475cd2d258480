extension Result where Success == JSON, Failure == MISPError {
    /// Parses a whole text; a Result, because the buffer's closure cannot carry a typed error.
    init(parsing bytes: UnsafeBufferPointer<UInt8>, at place: String) {
        self = Result { () throws(MISPError) in
            var parser = JSONParser(bytes: bytes, place: place)
            return try parser.parseText()
        }
    }
}

/// A recursive-descent reader over UTF-8 bytes: one pass, linear time, depth bounded by `JSON.maximumDepth`.
struct JSONParser {
    let bytes: UnsafeBufferPointer<UInt8>
    let place: String
    private var position = 0

    init(bytes: UnsafeBufferPointer<UInt8>, place: String) {
        self.bytes = bytes
        self.place = place
    }

    mutating func parseText() throws(MISPError) -> JSON {
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { position = 3 }  // byte order mark
        let value = try parseValue(depth: 0)
        skipSpace()
        guard position == bytes.count else { throw failure("expected the end of the text, found \(found)") }
        return value
    }

    private mutating func parseValue(depth: Int) throws(MISPError) -> JSON {
        skipSpace()
        guard let byte = peek else { throw failure("expected a value, found \(found)") }
        switch byte {
        case UInt8(ascii: "{"): return .object(try parseObject(depth: depth + 1))
        case UInt8(ascii: "["): return .array(try parseArray(depth: depth + 1))
        case UInt8(ascii: "\""): return .string(try parseString())
        case UInt8(ascii: "0")...UInt8(ascii: "9"): return try parseNumber()
        case UInt8(ascii: "-"): return skip("-Infinity") ? .number(-.infinity) : try parseNumber()
        case UInt8(ascii: "t") where skip("true"): return .bool(true)
        case UInt8(ascii: "f") where skip("false"): return .bool(false)
        case UInt8(ascii: "n") where skip("null"): return .null
        case UInt8(ascii: "N") where skip("NaN"): return .number(.nan)
        case UInt8(ascii: "I") where skip("Infinity"): return .number(.infinity)
        default: throw failure("expected a value, found \(found)")
        }
    }

    private mutating func parseObject(depth: Int) throws(MISPError) -> JSON.Object {
        try enter(depth)
        var object = JSON.Object()
        skipSpace()
        if skip("}") { return object }
        while true {
            skipSpace()
            guard peek == UInt8(ascii: "\"") else { throw failure("expected a key in quotes, found \(found)") }
            let key = try parseString()
            skipSpace()
            guard skip(":") else { throw failure("expected ':' after a key, found \(found)") }
            object[key] = try parseValue(depth: depth)
            skipSpace()
            if skip("}") { return object }
            guard skip(",") else { throw failure("expected ',' or '}', found \(found)") }
        }
    }

    private mutating func parseArray(depth: Int) throws(MISPError) -> [JSON] {
        try enter(depth)
        var array: [JSON] = []
        skipSpace()
        if skip("]") { return array }
        while true {
            array.append(try parseValue(depth: depth))
            skipSpace()
            if skip("]") { return array }
            guard skip(",") else { throw failure("expected ',' or ']', found \(found)") }
        }
    }

    private mutating func enter(_ depth: Int) throws(MISPError) {
        guard depth <= JSON.maximumDepth else { throw failure("nested deeper than \(JSON.maximumDepth) levels") }
        position += 1
    }

    // MARK: Numbers

    private mutating func parseNumber() throws(MISPError) -> JSON {
        let start = position
        var isInteger = true
        _ = skip("-")
        if !skip("0") { try skipDigits() }
        if skip(".") {
            isInteger = false
            try skipDigits()
        }
        if skip("e") || skip("E") {
            isInteger = false
            if !skip("+") { _ = skip("-") }
            try skipDigits()
        }
        let text = String(decoding: bytes[start..<position], as: UTF8.self)
        if isInteger, let value = Int(text) { return .integer(value) }
        guard let value = Double(text) else { throw failure("the number \(text.prefix(40)) cannot be represented") }
        return .number(value)
    }

    private mutating func skipDigits() throws(MISPError) {
        let start = position
        while let byte = peek, byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") { position += 1 }
        if position == start { throw failure("expected a digit, found \(found)") }
    }

    // MARK: Strings

    private mutating func parseString() throws(MISPError) -> String {
        position += 1
        let start = position
        while let byte = peek, byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\"), byte >= 0x20 { position += 1 }
        if peek == UInt8(ascii: "\"") {
            defer { position += 1 }
            return try validated(UnsafeBufferPointer(rebasing: bytes[start..<position]), from: start)
        }
        return try parseEscapedString(from: start)
    }

    /// The string that began at `start`, read up to its first escape.
    private mutating func parseEscapedString(from start: Int) throws(MISPError) -> String {
        var content = Array(bytes[start..<position])
        while true {
            guard let byte = peek else { throw failure("a string is not closed") }
            switch byte {
            case UInt8(ascii: "\""):
                position += 1
                return try content.withUnsafeBufferPointer { content in
                    Result { () throws(MISPError) in try validated(content, from: start) }
                }.get()
            case UInt8(ascii: "\\"):
                position += 1
                try parseEscape(into: &content)
            case 0..<0x20:
                throw failure("a control character in a string must be escaped")
            default:
                content.append(byte)
                position += 1
            }
        }
    }

    private mutating func parseEscape(into content: inout [UInt8]) throws(MISPError) {
        guard let byte = peek else { throw failure("a string is not closed") }
        position += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): content.append(byte)
        case UInt8(ascii: "b"): content.append(0x08)
        case UInt8(ascii: "f"): content.append(0x0C)
        case UInt8(ascii: "n"): content.append(0x0A)
        case UInt8(ascii: "r"): content.append(0x0D)
        case UInt8(ascii: "t"): content.append(0x09)
        case UInt8(ascii: "u"):
            var code = try parseHex()
            if 0xD800..<0xDC00 ~= code, skip("\\u") {
                let low = try parseHex()
                guard 0xDC00..<0xE000 ~= low else { throw failure("an escaped surrogate stands alone") }
                code = 0x10000 + (code - 0xD800) << 10 + (low - 0xDC00)
            }
            guard let scalar = Unicode.Scalar(code) else { throw failure("an escaped surrogate stands alone") }
            content.append(contentsOf: UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter)
        default:
            position -= 1
            throw failure("unknown escape: \\ before \(found)")
        }
    }

    private mutating func parseHex() throws(MISPError) -> UInt32 {
        var code: UInt32 = 0
        for _ in 0..<4 {
            guard let byte = peek, let digit = Character(Unicode.Scalar(byte)).hexDigitValue, byte < 0x80 else {
                throw failure("expected four hexadecimal digits, found \(found)")
            }
            code = code << 4 + UInt32(digit)
            position += 1
        }
        return code
    }

    private func validated(_ content: UnsafeBufferPointer<UInt8>, from start: Int) throws(MISPError) -> String {
        guard let string = String(validating: content, as: UTF8.self) else {
            throw failure("a string is not valid UTF-8", offset: start)
        }
        return string
    }

    // MARK: Bytes

    private var peek: UInt8? { position < bytes.count ? bytes[position] : nil }

    private mutating func skipSpace() {
        while let byte = peek, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { position += 1 }
    }

    private mutating func skip(_ expected: StaticString) -> Bool {
        let count = expected.utf8CodeUnitCount
        guard count <= bytes.count - position else { return false }
        for offset in 0..<count where bytes[position + offset] != expected.utf8Start[offset] { return false }
        position += count
        return true
    }

    // MARK: Errors

    private var found: String {
        guard let byte = peek else { return "the end of the text" }
        return 0x21..<0x7F ~= byte ? "'\(Character(Unicode.Scalar(byte)))'" : "byte 0x" + String(byte, radix: 16)
    }

    private func failure(_ what: String, offset: Int? = nil) -> MISPError {
        let offset = offset ?? position
        let line = bytes[..<offset].reduce(1) { $0 + ($1 == 0x0A ? 1 : 0) }
        return MISPError(what, at: "\(place): line \(line), byte offset \(offset)")
    }
}
