import Foundation

/// Why the system refused something, in its own words: `No such file or directory`.
///
/// Foundation wraps the system's error, often twice, and its own descriptions name no cause.
public enum SystemReason {
    /// The cause at the bottom of an error; of a `MISPError` what it says is wrong.
    public static func text(_ error: any Error) -> String {
        if let error = error as? MISPError { return error.what }
        var bottom = error
        for _ in 0..<8 {
            guard let inner = (bottom as NSError).userInfo[NSUnderlyingErrorKey] as? any Error else { break }
            bottom = inner
        }
        if let code = (bottom as? POSIXError)?.code { return text(errno: code.rawValue) }
        let plain = bottom as NSError
        if plain.domain == NSPOSIXErrorDomain { return text(errno: Int32(truncatingIfNeeded: plain.code)) }
        switch (error as? CocoaError)?.code {
        case .fileNoSuchFile?, .fileReadNoSuchFile?: return text(errno: ENOENT)
        case .fileReadNoPermission?, .fileWriteNoPermission?: return text(errno: EACCES)
        case .fileWriteFileExists?: return text(errno: EEXIST)
        case .fileWriteOutOfSpace?: return text(errno: ENOSPC)
        case .fileReadInapplicableStringEncoding?, .fileReadUnknownStringEncoding?, .fileReadCorruptFile?:
            return "it is no text in UTF-8"
        default: return "error \(plain.code) of \(plain.domain)"
        }
    }

    private static func text(errno code: Int32) -> String { String(cString: strerror(code)) }
}
