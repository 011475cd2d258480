import Foundation

/// What this process took of the machine's memory.
enum ProcessMemory {
    /// Bytes that this process had at most, mapped files included as far as they were read.
    static var peak: Double {
        var usage = rusage()
        #if os(macOS)
            getrusage(RUSAGE_SELF, &usage)
            return Double(usage.ru_maxrss)
        #else
            getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
            return Double(usage.ru_maxrss) * 1024
        #endif
    }
}
