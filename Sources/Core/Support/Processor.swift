import CProcessor

/// What the build asks of the processor.
public enum Processor {
    /// Throws when the processor lacks instructions that this build uses. The program calls it first of all: whatever
    /// comes after may end in an illegal instruction.
    public static func check() throws(MISPError) {
        guard let missing = misp_missing_instructions() else { return }
        throw MISPError(
            "this build needs a processor with AVX2 and FMA (x86-64-v3), and this one lacks \(String(cString: missing))",
            remedy: "`MISP_CPU=baseline swift build` builds for any x86-64 processor")
    }
}
